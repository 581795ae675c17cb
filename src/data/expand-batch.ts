import type { Batch } from './batch.js';
import { gatherColumns, gatherInts } from './gather-columns.js';

/**
 * The same candidates without request-level broadcasting: every candidate becomes a request of its own, with its
 * request's columns repeated. Candidates keep their order, so rows stay sorted by surface. This is what training costs
 * where features are joined to each row before the model sees them.
 */
export const expandBatch = (batch: Batch): Batch => {
  const { rowToRequest, candidateCount } = batch;
  return {
    ...batch,
    requestCount: candidateCount,
    rowToRequest: Int32Array.from({ length: candidateCount }, (_, row) => row),
    surfaces: gatherInts(batch.surfaces, rowToRequest),
    viewTypes: gatherInts(batch.viewTypes, rowToRequest),
    requestColumns: gatherColumns(batch.requestColumns, rowToRequest),
    requestIndex: gatherInts(batch.requestIndex, rowToRequest),
  };
};
