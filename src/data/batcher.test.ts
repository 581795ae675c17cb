import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainRow } from '../../test/fixtures/encode-oracle.js';
import { createBatch, planBatches } from './batcher.js';
import type { Column, Columns } from './columns.js';
import { joinShards } from './join-shards.js';
import type { Shard } from './shard.js';

const SURFACES = 3;

const columnArbitrary = (rows: number): fc.Arbitrary<Columns> =>
  fc
    .tuple(
      fc.array(fc.nat(99), { minLength: rows, maxLength: rows }),
      fc.array(fc.oneof(fc.constant(NaN), fc.float({ noNaN: true })), { minLength: rows, maxLength: rows }),
      fc.array(fc.array(fc.nat(99), { maxLength: 4 }), { minLength: rows, maxLength: rows }),
      fc.array(fc.float(), { minLength: rows * 2, maxLength: rows * 2 }),
    )
    .map(([ids, numbers, lists, vectors]) => {
      const offsets = Int32Array.from({ length: rows + 1 }, (_, row) => lists.slice(0, row).flat().length);
      return new Map<string, Column>([
        ['id', { kind: 'id', values: Int32Array.from(ids) }],
        ['number', { kind: 'number', values: Float32Array.from(numbers) }],
        ['ids', { kind: 'ids', offsets, values: Int32Array.from(lists.flat()) }],
        ['vector', { kind: 'vector', size: 2, values: Float32Array.from(vectors) }],
      ]);
    });

const shardArbitrary: fc.Arbitrary<Shard> = fc
  .array(fc.record({ surface: fc.nat(SURFACES - 1), size: fc.nat(5) }), { minLength: 1, maxLength: 12 })
  .chain((requests) => {
    const offsets = Int32Array.from({ length: requests.length + 1 }, (_, i) => requests.slice(0, i).reduce((sum, request) => sum + request.size, 0));
    const requestCount = requests.length;
    const candidateCount = offsets[requestCount]!;
    return fc.tuple(columnArbitrary(requestCount), columnArbitrary(candidateCount)).map(([requestColumns, candidateColumns]) => ({
      requestCount,
      candidateCount,
      offsets,
      requestIds: requests.map((_, i) => `r${i}`),
      users: requests.map((_, i) => `u${i % 3}`),
      times: Float64Array.from(requests, (_, i) => i),
      surfaces: Int32Array.from(requests, (request) => request.surface),
      viewTypes: Int32Array.from(requests, (request, i) => request.surface * 10 + (i % 2)),
      requestColumns,
      candidateColumns,
      labels: [Float32Array.from({ length: candidateCount }, (_, i) => i % 2), Float32Array.from({ length: candidateCount }, (_, i) => (i % 3 === 0 ? NaN : 1))],
      weights: Float32Array.from({ length: candidateCount }, (_, i) => i + 0.5),
      truths: new Map([['click', Float64Array.from({ length: candidateCount }, (_, i) => i / 100)]]),
    }));
  });

const candidatesOf = (shard: Shard, request: number): number[] =>
  Array.from({ length: shard.offsets[request + 1]! - shard.offsets[request]! }, (_, i) => shard.offsets[request]! + i);

/** A shard and some of its requests, each at most once, in any order. */
const selectionArbitrary = shardArbitrary.chain((shard) =>
  fc.tuple(fc.constant(shard), fc.shuffledSubarray(Array.from({ length: shard.requestCount }, (_, i) => i)).map((indices) => Int32Array.from(indices))),
);

const expectColumns = (actual: Columns, from: Columns, rows: readonly number[]): void => {
  expect([...actual.keys()]).toEqual([...from.keys()]);
  for (const [name, column] of from) {
    expect(rows.map((_, i) => plainRow(actual.get(name)!, i))).toEqual(rows.map((row) => plainRow(column, row)));
  }
};

describe('createBatch', () => {
  it('equals a batch put together row by row', () => {
    fc.assert(
      fc.property(selectionArbitrary, ([shard, selected]) => {
        const batch = createBatch(shard, selected, SURFACES);
        const requests = Array.from({ length: SURFACES }, (_, surface) => [...selected].filter((request) => shard.surfaces[request] === surface)).flat();
        const candidates = requests.flatMap((request) => candidatesOf(shard, request));
        expect([...batch.requestIndex]).toEqual(requests);
        expect(batch.requestCount).toBe(requests.length);
        expect(batch.candidateCount).toBe(candidates.length);
        expect([...batch.rowToRequest]).toEqual(requests.flatMap((request, position) => candidatesOf(shard, request).map(() => position)));
        expect([...batch.surfaces]).toEqual(requests.map((request) => shard.surfaces[request]));
        expect([...batch.viewTypes]).toEqual(requests.map((request) => shard.viewTypes[request]));
        expect([...batch.surfaceCandidates]).toEqual(
          Array.from({ length: SURFACES }, (_, surface) => candidates.filter((_candidate, row) => batch.surfaces[batch.rowToRequest[row]!] === surface).length),
        );
        expectColumns(batch.requestColumns, shard.requestColumns, requests);
        expectColumns(batch.candidateColumns, shard.candidateColumns, candidates);
        expect(batch.labels.map((labels) => [...labels])).toEqual(shard.labels.map((labels) => candidates.map((candidate) => labels[candidate])));
        expect([...batch.weights]).toEqual(candidates.map((candidate) => shard.weights[candidate]));
      }),
      { numRuns: 200 },
    );
  });
});

describe('planBatches', () => {
  it('puts every request into exactly one batch, in order, within the bound', () => {
    fc.assert(
      fc.property(selectionArbitrary, fc.integer({ min: 1, max: 12 }), ([shard, order], bound) => {
        const batches = planBatches(shard, order, bound);
        expect(batches.flatMap((batch) => [...batch])).toEqual([...order]);
        const sizes = batches.map((batch) => [...batch].flatMap((request) => candidatesOf(shard, request)).length);
        batches.forEach((batch, i) => {
          expect(batch.length).toBeGreaterThan(0);
          if (batch.length > 1) expect(sizes[i]!).toBeLessThanOrEqual(bound);
          const next = batches[i + 1];
          // No batch stops early: the next request would not have fitted.
          if (next !== undefined) expect(sizes[i]! + candidatesOf(shard, next[0]!).length).toBeGreaterThan(bound);
        });
      }),
    );
  });
});

describe('joinShards', () => {
  it('lays shards end to end', () => {
    fc.assert(
      fc.property(fc.array(shardArbitrary, { minLength: 1, maxLength: 3 }), (shards) => {
        const joined = joinShards(shards);
        const requests = shards.flatMap((shard) => Array.from({ length: shard.requestCount }, (_, request) => ({ shard, request })));
        expect(joined.requestCount).toBe(requests.length);
        expect(joined.requestIds).toEqual(requests.map(({ shard, request }) => shard.requestIds[request]));
        requests.forEach(({ shard, request }, index) => {
          const own = createBatch(shard, Int32Array.of(request), SURFACES);
          expect({ ...createBatch(joined, Int32Array.of(index), SURFACES), requestIndex: own.requestIndex }).toEqual(own);
          expect(joined.times[index]).toBe(shard.times[request]);
          expect(joined.truths.get('click')![joined.offsets[index]!]).toBe(candidatesOf(joined, index).length === 0 ? joined.truths.get('click')![joined.offsets[index]!] : shard.truths.get('click')![shard.offsets[request]!]);
        });
      }),
      { numRuns: 50 },
    );
  });

  it('refuses to join nothing', () => {
    expect(() => joinShards([])).toThrow(/no shard/u);
  });
});
