import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ATTENTION_GROUPS, sequenceInput, type SequenceLayout } from '../model/layout.js';
import { arrangeSequence, groupByLength, type SequenceFeeds } from './sequence-feeds.js';

const SEQUENCE: SequenceLayout = { name: 'history', column: 'history.ad', length: 12, heads: 2, attention: 'full', readByCandidates: true };

const offsetsOf = (lengths: readonly number[]): Int32Array => {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, request) => (offsets[request + 1] = offsets[request]! + length));
  return offsets;
};

const tensor = (feeds: SequenceFeeds, name: string): { readonly shape: readonly number[]; readonly data: ArrayLike<number> } =>
  feeds.tensors.find((one) => one.name === name)!;

/** Every place of every group, one after the other. */
const allPlaces = (feeds: SequenceFeeds, name: (group: number) => string): number[] =>
  Array.from({ length: ATTENTION_GROUPS }, (_, group) => Array.from(tensor(feeds, name(group)).data)).flat();

/** Share of the places that hold no event. */
const wasteOf = ({ places, events }: SequenceFeeds): number => 1 - events / places;

const requests = fc.array(fc.record({ length: fc.nat({ max: 12 }), candidates: fc.nat({ max: 5 }) }), { minLength: 1, maxLength: 20 });

/** Places that the best partition of sorted lengths needs, by trying all. */
const fewestPlaces = (sorted: readonly number[], groups: number): number => {
  if (sorted.length === 0) return 0;
  if (groups === 1) return sorted.length * sorted.at(-1)!;
  return Math.min(...sorted.map((_, index) => (index + 1) * sorted[index]! + fewestPlaces(sorted.slice(index + 1), groups - 1)));
};

describe('arrangeSequence', () => {
  it('gives every part of every token a place of its own, in time order, in its own request', () => {
    fc.assert(
      fc.property(requests, fc.constantFrom(1, 2, 3), (drawn, parts) => {
        const lengths = drawn.map(({ length }) => length);
        const feeds = arrangeSequence(SEQUENCE, offsetsOf(lengths), Int32Array.from(drawn, ({ candidates }) => candidates));
        const sources = Array.from({ length: parts }, (_, part) => allPlaces(feeds, (group) => sequenceInput.headSources('history', parts, part, group))).flat();
        const places = tensor(feeds, sequenceInput.headPlaces('history', parts)).data;
        expect(feeds.tokenCount).toBe(Math.max(1, lengths.reduce((sum, length) => sum + length, 0)));
        expect(places.length).toBe(feeds.tokenCount * parts * 2);
        // Inverse of each other: each row stands once, and the rest is padding.
        Array.from(places).forEach((place, row) => expect(sources[place]).toBe(row));
        expect(sources.filter((row) => row >= 0).length).toBe(places.length);
        for (let group = 0; group < ATTENTION_GROUPS; group += 1) {
          const { shape, data } = tensor(feeds, sequenceInput.headSources('history', parts, 0, group));
          const length = shape[2]!;
          for (let start = 0; start < data.length; start += length) {
            const tokens = Array.from(data).slice(start, start + length).filter((row) => row >= 0).map((row) => Math.floor(row / parts / 2));
            tokens.forEach((token, at) => expect(token).toBe(tokens[0]! + at));
          }
        }
      }),
    );
  });

  it('puts candidates beside the tokens of their request, and masks what pads', () => {
    fc.assert(
      fc.property(requests, (drawn) => {
        const lengths = drawn.map(({ length }) => length);
        const offsets = offsetsOf(lengths);
        const counts = Int32Array.from(drawn, ({ candidates }) => candidates);
        const starts = offsetsOf([...counts]);
        const feeds = arrangeSequence(SEQUENCE, offsets, counts);
        const requestOf = (bounds: Int32Array, row: number): number => bounds.findIndex((end, index) => index > 0 && row < end) - 1;
        for (let group = 0; group < ATTENTION_GROUPS; group += 1) {
          const tokens = tensor(feeds, sequenceInput.headSources('history', 1, 0, group));
          const candidates = tensor(feeds, sequenceInput.candidateSources('history', group));
          const bias = tensor(feeds, sequenceInput.keyBias('history', group));
          const [count, heads, length] = tokens.shape as [number, number, number];
          const most = candidates.shape[2]!;
          expect([candidates.shape[0], candidates.shape[1], bias.shape[0], bias.shape[3]]).toEqual([count, heads, count, length]);
          for (let row = 0; row < count; row += 1) {
            const owners = new Set([
              ...Array.from(tokens.data).slice(row * heads * length, (row + 1) * heads * length).filter((at) => at >= 0 && offsets.at(-1)! > 0).map((at) => requestOf(offsets, at >> 1)),
              ...Array.from(candidates.data).slice(row * heads * most, (row + 1) * heads * most).filter((at) => at >= 0).map((at) => requestOf(starts, at >> 1)),
            ]);
            expect(owners.size).toBeLessThanOrEqual(1);
            const open = Array.from(bias.data).slice(row * length, (row + 1) * length).filter((value) => value === 0).length;
            for (const owner of owners) expect(open).toBe(lengths[owner]);
          }
        }
        expect(Array.from(tensor(feeds, sequenceInput.hasHistory('history')).data)).toEqual(drawn.flatMap(({ length, candidates }) => new Array<number>(candidates).fill(length > 0 ? 1 : 0)));
        expect(Array.from(tensor(feeds, sequenceInput.newest('history')).data)).toEqual(lengths.map((length, request) => (length > 0 ? offsets[request + 1]! - 1 : -1)));
      }),
    );
  });

  it('groups by length as well as any eight groups can, and says what padding wastes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 11 }), (lengths) => {
        const groups = groupByLength(Int32Array.from(lengths), ATTENTION_GROUPS);
        expect(groups.flatMap(({ requests: own }) => own).sort((a, b) => a - b)).toEqual(lengths.map((_, request) => request));
        expect(groups.reduce((sum, { requests: own, length }) => sum + own.length * length, 0)).toBe(fewestPlaces([...lengths].sort((a, b) => a - b), ATTENTION_GROUPS));
      }),
    );
    expect(wasteOf(arrangeSequence(SEQUENCE, offsetsOf([3, 4, 8, 8]), Int32Array.of(1, 1, 1, 1)))).toBe(0);
    expect(wasteOf(arrangeSequence({ ...SEQUENCE, length: 9 }, offsetsOf([1, 2, 3, 4, 5, 6, 7, 8, 9]), new Int32Array(9).fill(1)))).toBeCloseTo(1 - 45 / 46, 12);
  });

  it('wastes less than 15 % on lengths that spread evenly up to 100', () => {
    const lengths = Array.from({ length: 256 }, (_, request) => (request * 41) % 101);
    const wide = { ...SEQUENCE, length: 100 };
    expect(wasteOf(arrangeSequence(wide, offsetsOf(lengths), new Int32Array(256).fill(1)))).toBeLessThan(0.15);
  });
});
