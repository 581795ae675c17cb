/** A split of the prepared dataset as a stream of batches. */
import type { Batch } from './batch.js';
import { createBatch, type BatchBounds } from './batcher.js';
import { openDatabase, quoteIdentifier, quoteLiteral, type Database, type RawNumbers } from './duckdb.js';
import { fitsInMemory, planEpoch, selectedShards, type Pool, type ShardOutline } from './epoch-plan.js';
import { joinShards } from './join-shards.js';
import type { PreparedManifest, ShardEntry, Split } from './prepared.js';
import { SHARD } from './shard-columns.js';
import { checkFile, readShard } from './shard-reader.js';
import type { Shard } from './shard.js';

export interface DatasetOptions {
  /** Tasks whose labels are wanted, in that order. */
  readonly tasks: readonly string[];
  /** Candidates per batch, at most; a request with more forms a batch of its own. */
  readonly batchCandidates: number;
  /** Requests per batch, at most. Default: no bound. */
  readonly batchRequests?: number | undefined;
  /** Tokens of `sequences` per batch, at most; a request with more forms a batch of its own. Default: no bound. */
  readonly batchTokens?: number | undefined;
  /** One encoded ids column of each sequence whose tokens count. Default: none. */
  readonly sequences?: readonly string[] | undefined;
  /** Indices of the surfaces whose requests are wanted. Default: all. */
  readonly surfaces?: readonly number[];
  /** Default false: batches in file order. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Candidates kept in memory. Where the split has more, shards are read again each epoch. Default 4 million. */
  readonly poolCandidates?: number;
  /** Threads of the DuckDB instance that reads the shards. Default 2. */
  readonly threads?: number;
}

/** A batch and where it came from. */
export interface DatasetBatch extends Batch {
  /** What `requestIndex` points into: a shard, or several joined when shuffling. Users, times and truths are there. */
  readonly source: Shard;
  /** Numbers of the shards that `source` is made of. */
  readonly shardNumbers: readonly number[];
}

export interface BatchesOptions {
  /** Shuffles differently each epoch. Default 0. */
  readonly epoch?: number;
  /** Skip this many batches: to resume inside an epoch. Default 0. */
  readonly from?: number;
}

export interface Dataset {
  /** Selected requests and candidates. */
  readonly requestCount: number;
  readonly candidateCount: number;
  /** Number of batches of an epoch; with shuffling it differs a little between epochs. */
  batchCount(epoch?: number): number;
  /** The batches of one epoch: a pure function of the files, the options, the seed and the epoch. */
  batches(options?: BatchesOptions): AsyncGenerator<DatasetBatch, void, undefined>;
  /** Whole shards in file order, of which at least one request is selected. */
  iterateShards(): AsyncGenerator<{ readonly shard: Shard; readonly number: number }, void, undefined>;
  close(): void;
}

const DEFAULT_POOL_CANDIDATES = 4_000_000;

/** Only lengths leave DuckDB, not the lists. */
const tokensColumn = (sequences: readonly string[]): string =>
  `CAST(${sequences.map((name) => `coalesce(len(${quoteIdentifier(name)}), 0)`).join(' + ')} AS INTEGER) AS "@tokens"`;

const readOutline = async (database: Database, directory: string, entry: ShardEntry, sequences: readonly string[]): Promise<ShardOutline> => {
  const file = await checkFile(directory, entry.requests);
  const surfaces = new Int32Array(entry.requestCount);
  const counts = new Int32Array(entry.requestCount);
  const tokens = sequences.length === 0 ? undefined : new Int32Array(entry.requestCount);
  let start = 0;
  const columns = [...[SHARD.surface, SHARD.candidateCount].map(quoteIdentifier), ...(tokens === undefined ? [] : [tokensColumn(sequences)])];
  for await (const chunk of database.stream(`SELECT ${columns.join(', ')} FROM read_parquet(${quoteLiteral(file)})`)) {
    surfaces.set((chunk.column(SHARD.surface) as RawNumbers).values, start);
    counts.set((chunk.column(SHARD.candidateCount) as RawNumbers).values, start);
    tokens?.set((chunk.column('@tokens') as RawNumbers).values, start);
    start += chunk.rowCount;
  }
  return { surfaces, counts, tokens, candidateCount: entry.candidateCount };
};

/** Reads shards, and keeps them where the whole selection fits in memory. */
const createShardSource = (read: (number: number) => Promise<Shard>, keep: boolean) => {
  const kept = new Map<number, Promise<Shard>>();
  const joined = new Map<string, Promise<Shard>>();
  const one = (number: number): Promise<Shard> => {
    const shard = kept.get(number) ?? read(number);
    if (keep) kept.set(number, shard);
    return shard;
  };
  const join = async (shards: readonly number[]): Promise<Shard> => {
    const parts: Shard[] = [];
    // One after the other: DuckDB uses all its threads for one, and memory stays bounded.
    for (const number of shards) parts.push(await (shards.length === 1 ? one(number) : read(number)));
    return joinShards(parts);
  };
  const pool = (shards: readonly number[]): Promise<Shard> => {
    if (shards.length === 1) return one(shards[0]!);
    const key = shards.join();
    const shard = joined.get(key) ?? join(shards);
    if (keep) joined.set(key, shard);
    return shard;
  };
  return { one, pool };
};

/**
 * Opens a split of the prepared dataset under `directory`.
 *
 * @throws ArtifactError when a file is missing or differs from the manifest, here or while iterating
 */
export const openDataset = async (directory: string, manifest: PreparedManifest, split: Split, options: DatasetOptions): Promise<Dataset> => {
  const { tasks, surfaces, shuffle = false, seed = 0, poolCandidates = DEFAULT_POOL_CANDIDATES, threads = 2 } = options;
  const { shards: entries } = manifest.splits[split];
  const { encoders } = manifest;
  const bounds: BatchBounds = { candidates: options.batchCandidates, requests: options.batchRequests, tokens: options.batchTokens };
  // Lengths that bound nothing need not be read.
  const sequences = options.batchTokens === undefined || options.batchTokens === Infinity ? [] : (options.sequences ?? []);
  const database = await openDatabase({ threads });
  const outlines: ShardOutline[] = [];
  try {
    for (const entry of entries) outlines.push(await readOutline(database, directory, entry, sequences));
  } catch (error) {
    database.close();
    throw error;
  }
  const chosen = selectedShards(outlines, surfaces);
  const reading = new Set<Promise<unknown>>();
  const read = (number: number): Promise<Shard> => {
    const shard = readShard(database, directory, entries[number]!, encoders, tasks);
    reading.add(shard);
    const forget = (): void => void reading.delete(shard);
    shard.then(forget, forget);
    return shard;
  };
  const source = createShardSource(read, fitsInMemory(outlines, chosen, poolCandidates));
  const plan = (epoch: number): Generator<Pool, void, undefined> =>
    planEpoch(outlines, { shuffle, seed, bounds, poolCandidates, surfaces }, epoch);

  const isSelected = (surface: number): boolean => surfaces === undefined || surfaces.includes(surface);
  let requestCount = 0;
  let candidateCount = 0;
  for (const outline of outlines) {
    outline.surfaces.forEach((surface, request) => {
      if (!isSelected(surface)) return;
      requestCount += 1;
      candidateCount += outline.counts[request]!;
    });
  }

  return {
    requestCount,
    candidateCount,
    batchCount: (epoch = 0) => [...plan(epoch)].reduce((sum, pool) => sum + pool.batches.length, 0),
    async *batches({ epoch = 0, from = 0 } = {}) {
      let skip = from;
      const pools = plan(epoch);
      /** The next pool that is not skipped whole, with its shards on the way. */
      const start = (): { readonly pool: Pool; readonly shard: Promise<Shard> } | undefined => {
        // Not for…of: leaving that would end the generator, and the rest of the plan is needed later.
        for (let step = pools.next(); step.done !== true; step = pools.next()) {
          const pool = step.value;
          if (skip < pool.batches.length) {
            const shard = source.pool(pool.shards);
            // Awaited one pool later; a failure in between must not count as unhandled.
            shard.catch(() => undefined);
            return { pool, shard };
          }
          skip -= pool.batches.length;
        }
        return undefined;
      };
      for (let current = start(); current !== undefined; ) {
        const shard = await current.shard;
        const { pool } = current;
        const first = skip;
        skip = 0;
        const next = start();
        for (const requests of pool.batches.slice(first)) {
          yield { ...createBatch(shard, requests, encoders.surfaces.length), source: shard, shardNumbers: pool.shards };
        }
        current = next;
      }
    },
    async *iterateShards() {
      for (const number of chosen) yield { shard: await source.one(number), number };
    },
    close() {
      // A read-ahead may still be running where the batches were left half-way.
      void Promise.allSettled(reading).then(() => {
        database.close();
      });
    },
  };
};
