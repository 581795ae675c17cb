import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plainRow } from '../../test/fixtures/encode-oracle.js';
import { SURFACES, selectionArbitrary } from '../../test/fixtures/shard-arbitrary.js';
import type { Batch } from './batch.js';
import { createBatch } from './batcher.js';
import { expandBatch } from './expand-batch.js';

/** Everything a batch says of each candidate, in order. */
const candidates = (batch: Batch): unknown[] =>
  Array.from(batch.rowToRequest, (request, row) => ({
    surface: batch.surfaces[request],
    viewType: batch.viewTypes[request],
    index: batch.requestIndex[request],
    request: [...batch.requestColumns].map(([name, column]) => [name, plainRow(column, request)]),
    candidate: [...batch.candidateColumns].map(([name, column]) => [name, plainRow(column, row)]),
    labels: batch.labels.map((labels) => labels[row]),
    weight: batch.weights[row],
  }));

it('says the same of every candidate, each a request of its own', () => {
  fc.assert(
    fc.property(selectionArbitrary, ([shard, selected]) => {
      const batch = createBatch(shard, selected, SURFACES);
      const expanded = expandBatch(batch);
      expect(candidates(expanded)).toEqual(candidates(batch));
      expect(expanded.requestCount).toBe(batch.candidateCount);
      expect(expanded.candidateCount).toBe(batch.candidateCount);
      expect([...expanded.rowToRequest]).toEqual([...batch.rowToRequest.keys()]);
      expect([...expanded.surfaceCandidates]).toEqual([...batch.surfaceCandidates]);
      expect([...expanded.surfaces]).toEqual([...expanded.surfaces].sort((a, b) => a - b));
      for (const column of expanded.requestColumns.values()) {
        const rows = column.kind === 'ids' ? column.offsets.length - 1 : column.values.length / (column.kind === 'vector' ? column.size : 1);
        expect(rows).toBe(batch.candidateCount);
      }
    }),
    { numRuns: 200 },
  );
});
