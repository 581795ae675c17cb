import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainRow } from '../../test/fixtures/encode-oracle.js';
import { SURFACES, candidatesOf, selectionArbitrary, shardArbitrary } from '../../test/fixtures/shard-arbitrary.js';
import { countTokens, createBatch, planBatches } from './batcher.js';
import type { Columns } from './columns.js';
import { joinShards } from './join-shards.js';

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

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const boundArbitrary = fc.oneof(fc.constant(undefined), fc.constant(Infinity), fc.integer({ min: 1, max: 12 }));

describe('planBatches', () => {
  it('puts every request into exactly one batch, in order, within every bound', () => {
    fc.assert(
      fc.property(selectionArbitrary, fc.integer({ min: 1, max: 12 }), boundArbitrary, boundArbitrary, ([shard, order], candidates, requests, tokens) => {
        const sizes = { offsets: shard.offsets, tokens: countTokens(shard, ['ids']) };
        const batches = planBatches(sizes, order, { candidates, requests, tokens });
        expect(batches.flatMap((batch) => [...batch])).toEqual([...order]);
        const fits = (batch: readonly number[]): boolean =>
          sum(batch.map((request) => candidatesOf(shard, request).length)) <= candidates &&
          batch.length <= (requests ?? Infinity) &&
          sum(batch.map((request) => sizes.tokens[request]!)) <= (tokens ?? Infinity);
        batches.forEach((batch, i) => {
          expect(batch.length).toBeGreaterThan(0);
          if (batch.length > 1) expect(fits([...batch])).toBe(true);
          const next = batches[i + 1];
          // No batch stops early: the next request would not have fitted.
          if (next !== undefined) expect(fits([...batch, next[0]!])).toBe(false);
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('countTokens', () => {
  it('adds up the lengths of one list per sequence', () => {
    fc.assert(
      fc.property(shardArbitrary, (shard) => {
        const lists = Array.from({ length: shard.requestCount }, (_, request) => plainRow(shard.requestColumns.get('ids')!, request) as readonly number[]);
        expect([...countTokens(shard, ['ids', 'ids'])]).toEqual(lists.map((list) => 2 * list.length));
        expect([...countTokens(shard, [])]).toEqual(lists.map(() => 0));
      }),
    );
  });

  it('refuses a column that is not a list', () => {
    const [shard] = fc.sample(shardArbitrary, 1);
    expect(() => countTokens(shard!, ['number'])).toThrow(/"number" is not an ids column/u);
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
          for (const row of candidatesOf(shard, request)) {
            expect(joined.outsides.get('click')![joined.offsets[index]! + row - shard.offsets[request]!]).toBe(shard.outsides.get('click')![row]);
          }
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
