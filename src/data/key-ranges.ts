/**
 * Staging in pieces. A join and a sort of everything at once would need memory in proportion to the data; pieces of
 * consecutive keys need a fixed amount. Keys are in time order, so a piece is also a range of times, which logs written
 * in time order find without reading the rest.
 */
import type { Database } from './duckdb.js';
import { queryStep } from './sql-step.js';

/** Keys `[from, to)` and the times of their requests. */
export interface KeyRange {
  readonly from: number;
  readonly to: number;
  /** Epoch microseconds, both included. */
  readonly firstTime: number;
  readonly lastTime: number;
}

const CANDIDATES = 1_000_000;
const REQUESTS = 200_000;

/**
 * Cuts the keys of the table `requests` (in key order, with `time_us`) into ranges of a bounded size.
 *
 * @param candidates how many candidates all its requests have, about
 */
export const keyRanges = async (database: Database, requests: string, candidates: number): Promise<readonly KeyRange[]> => {
  const [counted] = await queryStep<{ count: number }>(database, 'staging', `SELECT count(*) AS count FROM ${requests}`);
  const perRange = Math.max(1, Math.min(REQUESTS, Math.floor((CANDIDATES * counted!.count) / Math.max(1, candidates))));
  return queryStep<KeyRange>(
    database,
    'staging',
    `SELECT min(rowid) AS "from", max(rowid) + 1 AS "to", min(time_us) AS "firstTime", max(time_us) AS "lastTime" FROM ${requests} GROUP BY rowid // ${perRange} ORDER BY 1`,
  );
};
