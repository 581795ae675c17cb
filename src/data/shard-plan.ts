import { quoteIdentifier, type Database, type RawNumbers } from './duckdb.js';
import { STAGED, STAGED_REQUESTS, type StagedSplit } from './staged.js';

/** The requests of one shard: keys `[firstKey, firstKey + requestCount)`. */
export interface ShardRange {
  readonly firstKey: number;
  readonly requestCount: number;
  readonly candidateCount: number;
}

/**
 * Cuts a split into shards of at most `shardCandidates` candidates, in request order; a request is never cut, so one
 * that is larger gets a shard of its own.
 */
export const planShards = async (database: Database, split: StagedSplit, shardCandidates: number): Promise<readonly ShardRange[]> => {
  const shards: ShardRange[] = [];
  let firstKey = split.firstKey;
  let requestCount = 0;
  let candidateCount = 0;
  const close = (): void => {
    if (requestCount > 0) shards.push({ firstKey, requestCount, candidateCount });
    firstKey += requestCount;
    requestCount = 0;
    candidateCount = 0;
  };
  const key = quoteIdentifier(STAGED.key);
  const sql = `SELECT ${quoteIdentifier(STAGED.candidates)} AS n FROM ${STAGED_REQUESTS}
    WHERE ${key} >= ${split.firstKey} AND ${key} < ${split.firstKey + split.requests}`;
  for await (const chunk of database.stream(sql)) {
    const { values } = chunk.column('n') as RawNumbers;
    for (let row = 0; row < chunk.rowCount; row += 1) {
      if (candidateCount + values[row]! > shardCandidates) close();
      requestCount += 1;
      candidateCount += values[row]!;
    }
  }
  close();
  return shards;
};
