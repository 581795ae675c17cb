import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadGraph } from '../check/run-graph.js';
import type { Feeds } from '../check/run-graph.js';
import { gradients } from '../gradients.js';
import { input } from '../inputs.js';
import { requiredLeaves } from '../onnx/emit.js';
import { mul } from './mul.js';
import { reduceSum } from './reduce-sum.js';
import { broadcastRows, segmentSum } from './segments.js';

const rowToRequest = input('row_to_request', 'int64', ['candidates']);
const segments = {
  slots: input('segment_slots', 'int64', ['requests', 'segment_width']),
  mask: input('segment_mask', 'float32', ['requests', 1, 'segment_width']),
};

/** Feeds of requests with these many candidates. */
const layout = (counts: readonly number[]): Feeds => {
  const width = Math.max(1, ...counts);
  const starts = counts.map((_, request) => counts.slice(0, request).reduce((sum, count) => sum + count, 0));
  const perSlot = <T>(value: (request: number, slot: number) => T): T[] =>
    counts.flatMap((_, request) => Array.from({ length: width }, (_unused, slot) => value(request, slot)));
  const rows = counts.flatMap((count, request) => Array<number>(count).fill(request));
  return {
    row_to_request: { values: rows, shape: [rows.length], dtype: 'int64' },
    segment_slots: {
      values: perSlot((request, slot) => (slot < counts[request]! ? starts[request]! + slot : 0)),
      shape: [counts.length, width],
      dtype: 'int64',
    },
    segment_mask: {
      values: perSlot((request, slot) => (slot < counts[request]! ? 1 : 0)),
      shape: [counts.length, 1, width],
      dtype: 'float32',
    },
  };
};

/** Small whole numbers: their sums are exact in single precision. */
const whole = (count: number): number[] => Array.from({ length: count }, (_, index) => ((index * 7919) % 31) - 15);

const sums = (values: readonly number[], rows: readonly number[], requests: number, width: number): number[] => {
  const result = Array<number>(requests * width).fill(0);
  values.forEach((value, index) => {
    const target = rows[Math.floor(index / width)]! * width + (index % width);
    result[target] = result[target]! + value;
  });
  return result;
};

describe('broadcastRows and segmentSum', () => {
  it('sum and copy ragged requests exactly, on two threads', async () => {
    const width = 3;
    const x = input('x', 'float32', ['candidates', width]);
    const total = segmentSum(x, rowToRequest, segments);
    const graph = await loadGraph({ total, copied: broadcastRows(total, rowToRequest, segments) }, { threads: 2 });
    const counts = fc.array(fc.nat(6), { minLength: 1, maxLength: 20 }).filter((list) => list.some((count) => count > 0));
    await fc.assert(
      fc.asyncProperty(counts, async (list) => {
        const feeds = layout(list);
        const rows = feeds['row_to_request']!.values;
        const values = whole(rows.length * width);
        const results = await graph.run({ ...feeds, x: { values, shape: [rows.length, width], dtype: 'float32' } });
        const expected = sums(values, rows, list.length, width);
        expect(results['total']).toEqual({ values: expected, shape: [list.length, width] });
        expect(results['copied']!.values).toEqual(rows.flatMap((row) => expected.slice(row * width, (row + 1) * width)));
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  it('give the same bits on one thread, on two, and again', async () => {
    const width = 32;
    const counts = Array.from({ length: 300 }, (_, request) => (request * 37) % 23);
    const feeds = layout(counts);
    const rows = feeds['row_to_request']!.values.length;
    const x = input('x', 'float32', ['requests', width]);
    const weights = input('weights', 'float32', ['candidates', width]);
    const loss = reduceSum(mul(broadcastRows(x, rowToRequest, segments), weights), [0, 1]);
    const outputs = { gradient: gradients(loss, [x])[0]! };
    const wave = (count: number): number[] => Array.from({ length: count }, (_, index) => Math.sin(index * 1.1));
    const fed: Feeds = {
      ...feeds,
      x: { values: wave(counts.length * width), shape: [counts.length, width], dtype: 'float32' },
      weights: { values: wave(rows * width), shape: [rows, width], dtype: 'float32' },
    };
    const run = async (threads: number): Promise<readonly number[]> =>
      (await (await loadGraph(outputs, { threads })).run(fed))['gradient']!.values;
    const first = await run(1);
    const expected = sums(wave(rows * width).map(Math.fround), feeds['row_to_request']!.values, counts.length, width);
    first.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 4));
    expect(await run(2)).toEqual(first);
    expect(await run(2)).toEqual(first);
  });

  it('a forward graph reads neither slots nor mask', () => {
    const x = input('x', 'float32', ['requests', 4]);
    const names = requiredLeaves({ copied: broadcastRows(x, rowToRequest, segments) }).map((leaf) => leaf.name);
    expect(names).toEqual(['x', 'row_to_request']);
  });

  it('refuse what does not fit, naming the shapes', () => {
    const x = input('x', 'float32', ['users', 4]);
    expect(() => broadcastRows(x, rowToRequest, segments)).toThrow(
      'broadcastRows: x: float32 [users, 4] and slots segment_slots: int64 [requests, segment_width] differ in rows',
    );
    expect(() => segmentSum(x, rowToRequest, segments)).toThrow('segmentSum: x: float32 [users, 4] and rowToRequest');
    expect(() => segmentSum(x, input('rows', 'int32', ['users']), segments)).toThrow('expected rowToRequest int64 [candidates]');
  });
});
