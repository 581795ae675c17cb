import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../config/errors.js';
import type { Predictions } from '../evaluate/predictions.js';
import { logitOf } from './apply-layer.js';
import { binsOf, tallyRows } from './binned-rows.js';
import { asOneGroup, taskRows } from './task-rows.js';

interface Row {
  readonly viewType: number;
  readonly user: number;
  readonly label: number;
  readonly probability: number;
}

const SURFACES = ['search', 'home_feed'];
/** The first is the view type never seen in training, of any surface. */
const VIEW_TYPES = ['', 'search/grid', 'search/list', 'home_feed/grid'];
const surfaceOf = (viewType: number, user: number): number => (viewType === 0 ? user % 2 : viewType === 3 ? 1 : 0);

const predictionsOf = (rows: readonly Row[]): Predictions => ({
  count: rows.length,
  surfaceNames: SURFACES,
  viewTypeNames: VIEW_TYPES,
  surfaces: Int32Array.from(rows, ({ viewType, user }) => surfaceOf(viewType, user)),
  viewTypes: Int32Array.from(rows, ({ viewType }) => viewType),
  users: Int32Array.from(rows, ({ user }) => user),
  requests: Int32Array.from(rows, (_, row) => row),
  tasks: [{ task: 'click', labels: Float32Array.from(rows, ({ label }) => label), probabilities: Float32Array.from(rows, ({ probability }) => probability) }],
});

const row = fc.record({
  viewType: fc.nat(3),
  user: fc.nat(9),
  label: fc.constantFrom(0, 1, NaN),
  // Few values, so that many are equal.
  probability: fc.nat(20).map((step) => step / 20),
});
const lists = fc.array(row, { maxLength: 60 });
const rowsOf = (list: readonly Row[]): ReturnType<typeof taskRows> => taskRows(predictionsOf(list), predictionsOf(list).tasks[0]!);

describe('taskRows', () => {
  it('is the labelled rows, whatever order they come in', () => {
    fc.assert(
      fc.property(lists, fc.infiniteStream(fc.nat()), (list, keys) => {
        const shuffled = list.map((one) => ({ one, key: keys.next().value! })).toSorted((a, b) => a.key - b.key).map(({ one }) => one);
        const { users, ...found } = rowsOf(list);
        const { users: others, ...same } = rowsOf(shuffled);
        expect(same).toEqual(found);
        expect(users.length).toBe(list.filter(({ label }) => !Number.isNaN(label)).length);
        expect([...others].sort()).toEqual([...users].sort());
        expect(tallyRows(rowsOf(shuffled))).toEqual(tallyRows(rowsOf(list)));
      }),
    );
  });

  it('sorts rows into bins and groups', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const rows = rowsOf(list);
        const labelled = list.filter(({ label }) => !Number.isNaN(label));
        const tally = tallyRows(rows);
        rows.groups.forEach(({ level, name, surface, parent, isParent }, place) => {
          expect(parent).toBeLessThanOrEqual(place);
          expect(rows.groups[parent]!.level).toBe(Math.max(0, level - 1));
          const isOwn = (one: Row): boolean => level === 0 || (level === 1 ? SURFACES[surfaceOf(one.viewType, one.user)] === surface : VIEW_TYPES[one.viewType] === name);
          const own = labelled.filter(isOwn);
          const { logits, weights, positives } = binsOf(rows, tally, place);
          expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(own.length);
          expect(positives.reduce((sum, positive) => sum + positive, 0)).toBe(own.filter(({ label }) => label === 1).length);
          expect([...logits].sort((a, b) => a - b)).toEqual([...logits]);
          const total = own.reduce((sum, { probability }) => sum + logitOf(Math.fround(probability)), 0);
          expect(logits.reduce((sum, logit, bin) => sum + weights[bin]! * logit, 0)).toBeCloseTo(total, 6);
          if (level > 0) expect(isParent).toBe(own.length === labelled.filter((one) => level === 1 || SURFACES[surfaceOf(one.viewType, one.user)] === surface).length);
        });
      }),
    );
  });

  it('counts rows as often as their users were drawn', () => {
    fc.assert(
      fc.property(lists, fc.array(fc.nat(3), { minLength: 10, maxLength: 10 }), (list, drawn) => {
        const counts = Uint8Array.from(drawn);
        const repeated = list.flatMap((one) => Array.from({ length: counts[one.user]! }, () => one));
        const rows = asOneGroup(rowsOf(list));
        const again = asOneGroup(rowsOf(repeated));
        const [one, other] = [binsOf(rows, tallyRows(rows, counts), 0), binsOf(again, tallyRows(again), 0)];
        expect(one.weights).toEqual(other.weights);
        expect(one.positives).toEqual(other.positives);
      }),
    );
  });

  it('refuses labels and probabilities out of range', () => {
    const good = { viewType: 1, user: 0, label: 0, probability: 0.5 };
    expect(() => rowsOf([good, { ...good, label: 2 }])).toThrow(DataError);
    expect(() => rowsOf([good, { ...good, probability: NaN }])).toThrow(/row 1 .*probability NaN/u);
  });
});
