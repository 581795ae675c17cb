import { quoteIdentifier, type Database, type RawNumbers } from './duckdb.js';
import type { ShardRange } from './shard-plan.js';
import { STAGED, STAGED_REQUESTS } from './staged.js';

/** Where the requests of a shard, given in key order, stand in its files. */
export interface ShardOrder {
  /** Row of each request. */
  readonly places: Int32Array;
  /** Candidates of each request. */
  readonly counts: Int32Array;
  /** Row of each request's first candidate. */
  readonly firstCandidates: Int32Array;
}

/**
 * Requests by user, each user's in time order. What is known of a user changes little between two of their requests, so
 * that zstd stores most of it once when they are neighbours; in time order they are further apart than it looks back.
 */
export const orderByUser = async (database: Database, { firstKey, requestCount }: ShardRange): Promise<ShardOrder> => {
  const [key, user, candidates] = [STAGED.key, STAGED.userId, STAGED.candidates].map(quoteIdentifier);
  const places = new Int32Array(requestCount);
  const counts = new Int32Array(requestCount);
  const firstCandidates = new Int32Array(requestCount);
  let place = 0;
  let candidate = 0;
  const sql = `SELECT CAST(${key} - ${firstKey} AS INTEGER) AS request, ${candidates} AS n FROM ${STAGED_REQUESTS}
    WHERE ${key} >= ${firstKey} AND ${key} < ${firstKey + requestCount} ORDER BY ${user}, ${key}`;
  for await (const chunk of database.stream(sql)) {
    const requests = (chunk.column('request') as RawNumbers).values;
    const sizes = (chunk.column('n') as RawNumbers).values;
    for (let row = 0; row < chunk.rowCount; row += 1, place += 1) {
      const request = requests[row]!;
      places[request] = place;
      counts[request] = sizes[row]!;
      firstCandidates[request] = candidate;
      candidate += sizes[row]!;
    }
  }
  return { places, counts, firstCandidates };
};
