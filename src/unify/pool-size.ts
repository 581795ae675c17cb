import type { ColumnState } from '../data/encoder-state.js';
import type { PreparedManifest } from '../data/prepared.js';

/** Memory of the requests that are shuffled together. While they are joined from shards it is needed twice. */
const POOL_BYTES = 384 * 2 ** 20;

const MOST_CANDIDATES = 4_000_000;

/** Ids, time and offsets of a request. */
const REQUEST_BYTES = 100;

/** Lists count as if they were all as long as they may be: how long they are is known only when they are read. */
const columnBytes = (column: ColumnState): number => {
  switch (column.kind) {
    case 'id':
    case 'number':
      return 4;
    case 'ids':
      return 4 * column.maxLength;
    case 'vector':
      return 4 * column.size;
  }
};

/** Candidates that are kept in memory at once, so that training's memory does not depend on how much data there is. */
export const poolCandidates = ({ encoders, tasks, splits }: Pick<PreparedManifest, 'encoders' | 'tasks' | 'splits'>): number => {
  const counts = Object.values(splits.train.counts);
  const candidates = counts.reduce((sum, count) => sum + count.candidates, 0);
  if (candidates === 0) return MOST_CANDIDATES;
  const requests = counts.reduce((sum, count) => sum + count.requests, 0);
  const bytes = { request: REQUEST_BYTES, candidate: 4 * (tasks.length + 1) };
  for (const column of encoders.columns) bytes[column.side] += columnBytes(column);
  return Math.min(MOST_CANDIDATES, Math.floor(POOL_BYTES / (bytes.candidate + (bytes.request * requests) / candidates)));
};
