import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IoError } from '../config/errors.js';
import type { Column, Columns } from './columns.js';
import { explainDuckDbError, quoteIdentifier, quoteLiteral, type Database, type RawChunk, type RawColumn, type RawNumbers, type RawStrings, type WriteColumn } from './duckdb.js';
import { createEncoder, rawColumnName, type Encoder } from './encode.js';
import type { ColumnState, EncoderSet } from './encoder-state.js';
import { checksumFile } from './file-checksum.js';
import type { FileEntry, ShardEntry, Split, SurfaceCounts } from './prepared.js';
import { encodedFileColumn, REQUEST_FILE_COLUMNS, SHARD, type FileColumn } from './shard-columns.js';
import { orderByUser, type ShardOrder } from './shard-order.js';
import { planShards, type ShardRange } from './shard-plan.js';
import { labelColumn, outsideColumn, STAGED, STAGED_CANDIDATES, STAGED_REQUESTS, truthColumn, type StagedTables } from './staged.js';
import { createSurfaceCounter, type SurfaceCounter } from './surface-counts.js';

export interface ShardProgress {
  readonly requests: number;
  readonly candidates: number;
  readonly totalRequests: number;
  readonly totalCandidates: number;
}

export interface WriteShardsOptions {
  /** Candidates per shard, at most; a request with more gets a shard of its own. */
  readonly shardCandidates: number;
  readonly onProgress?: (progress: ShardProgress) => void;
}

export interface WrittenShards {
  readonly shards: readonly ShardEntry[];
  /** By surface name; every surface of the project. */
  readonly counts: Readonly<Record<string, SurfaceCounts>>;
}

/** What every file of one call is written with. */
interface Job {
  readonly database: Database;
  readonly encoder: Encoder;
  readonly viewTypes: ReadonlyMap<string, number>;
  /** Tasks with a label column. */
  readonly labels: readonly string[];
  /** Columns of true probabilities and of an outside model's. */
  readonly probabilities: readonly string[];
  readonly counter: SurfaceCounter;
  readonly advance: (requests: number, candidates: number) => void;
}

const asWritten = (column: Column): WriteColumn => {
  switch (column.kind) {
    case 'id':
    case 'number':
      return column.values;
    case 'ids':
      return column;
    case 'vector':
      return { offsets: Int32Array.from({ length: column.values.length / column.size + 1 }, (_, row) => row * column.size), values: column.values };
  }
};

const numbersOf = (chunk: RawChunk, name: string): RawNumbers => chunk.column(name) as RawNumbers;

/** Numbers with NaN for NULL. */
const readFloats = <T extends Float32Array | Float64Array>(chunk: RawChunk, name: string, into: T): T => {
  const { values, valid } = numbersOf(chunk, name);
  for (let row = 0; row < into.length; row += 1) into[row] = valid(row) ? values[row]! : NaN;
  return into;
};

/** Streams one side of a shard's requests or candidates, in order. */
const streamRange = (job: Job, side: ColumnState['side'], range: ShardRange): AsyncIterable<RawChunk> => {
  const key = quoteIdentifier(STAGED.key);
  const table = side === 'request' ? STAGED_REQUESTS : STAGED_CANDIDATES;
  return job.database.stream(`SELECT * FROM ${table} WHERE ${key} >= ${range.firstKey} AND ${key} < ${range.firstKey + range.requestCount}`);
};

const encodeChunk = (job: Job, side: ColumnState['side'], chunk: RawChunk, surfaces: Int32Array, requestTimes?: Float64Array): Columns => {
  const { encoder } = job;
  const raw = new Map<string, RawColumn>();
  for (const state of encoder.set.columns) {
    const name = rawColumnName(state, encoder.set);
    if (state.side === side && !raw.has(name)) raw.set(name, chunk.column(name));
  }
  return encoder.encodeRows(side, raw, chunk.rowCount, requestTimes === undefined ? { surfaces } : { surfaces, requestTimes });
};

/** Row of each row in its file, for files that are written in another order than they are encoded. */
const PLACE: FileColumn = { name: '@place', type: 'INTEGER' };

/**
 * Rows of a row group: by user, request columns repeat nearby, and a dictionary of few users' values is a small one
 * (KuaiRand: 9.7 MB, against 13.2 MB with 122,880); candidate columns share one dictionary best.
 */
const ROW_GROUP = { request: 16_384, candidate: 122_880 } as const;

/** Fills a table chunk by chunk, then copies it into a Parquet file, by `PLACE` where it has that column. */
const writeFile = async (
  { database }: Job,
  directory: string,
  path: string,
  columns: readonly FileColumn[],
  chunks: AsyncIterable<RawChunk>,
  encode: (chunk: RawChunk) => readonly WriteColumn[],
  rowGroup: number = ROW_GROUP.candidate,
): Promise<FileEntry> => {
  const table = '@shard';
  const writer = await database.tableWriter(table, columns);
  try {
    for await (const chunk of chunks) writer.append(encode(chunk), 0, chunk.rowCount);
  } finally {
    writer.close();
  }
  const file = join(directory, path);
  const [name, place] = [table, PLACE.name].map(quoteIdentifier);
  const rows = columns.includes(PLACE) ? `SELECT * EXCLUDE (${place}) FROM ${name} ORDER BY ${place}` : `FROM ${name}`;
  try {
    await database.run(`COPY (${rows}) TO ${quoteLiteral(file)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroup})`);
  } catch (error) {
    throw explainDuckDbError(error, { where: file });
  } finally {
    await database.run(`DROP TABLE ${quoteIdentifier(table)}`);
  }
  return { path, bytes: (await stat(file)).size, sha256: await checksumFile(file) };
};

const writeRequests = (job: Job, directory: string, path: string, range: ShardRange, order: ShardOrder | undefined): Promise<FileEntry> => {
  const { set } = job.encoder;
  const states = set.columns.filter((state) => state.side === 'request');
  const columns = [...REQUEST_FILE_COLUMNS, ...states.map(encodedFileColumn), ...(order === undefined ? [] : [PLACE])];
  let written = 0;
  let candidates = 0;
  const encode = (chunk: RawChunk): readonly WriteColumn[] => {
    const start = written;
    written += chunk.rowCount;
    const surfaces = numbersOf(chunk, STAGED.surface).values as Int32Array;
    const times = Float64Array.from(numbersOf(chunk, STAGED.time).values);
    const counts = numbersOf(chunk, STAGED.candidates).values as Int32Array;
    const named = chunk.column(STAGED.viewType) as RawStrings;
    const viewTypes = Int32Array.from(surfaces, (surface, row) => job.viewTypes.get(`${set.surfaces[surface]!}/${named.values[row]!}`) ?? 0);
    const offsets =
      order?.firstCandidates.slice(start, written) ??
      Int32Array.from(counts, (count) => {
        candidates += count;
        return candidates - count;
      });
    const encoded = encodeChunk(job, 'request', chunk, surfaces, times);
    job.counter.addRequests(surfaces);
    job.advance(chunk.rowCount, 0);
    return [
      (chunk.column(STAGED.requestId) as RawStrings).values,
      (chunk.column(STAGED.userId) as RawStrings).values,
      times,
      surfaces,
      viewTypes,
      offsets,
      counts,
      ...states.map((state) => asWritten(encoded.get(state.name)!)),
      ...(order === undefined ? [] : [order.places.slice(start, written)]),
    ];
  };
  return writeFile(job, directory, path, columns, streamRange(job, 'request', range), encode, order === undefined ? undefined : ROW_GROUP.request);
};

/** Places of candidates, which come in the key order of their requests. */
const candidatePlaces = ({ counts, firstCandidates }: ShardOrder): ((rows: number) => Int32Array) => {
  let request = 0;
  let within = 0;
  return (rows) =>
    Int32Array.from({ length: rows }, () => {
      while (within >= counts[request]!) {
        request += 1;
        within = 0;
      }
      within += 1;
      return firstCandidates[request]! + within - 1;
    });
};

const writeCandidates = (job: Job, directory: string, path: string, range: ShardRange, order: ShardOrder | undefined): Promise<FileEntry> => {
  const states = job.encoder.set.columns.filter((state) => state.side === 'candidate');
  const columns: FileColumn[] = [
    ...states.map(encodedFileColumn),
    ...job.labels.map((task): FileColumn => ({ name: labelColumn(task), type: 'FLOAT' })),
    ...job.probabilities.map((name): FileColumn => ({ name, type: 'DOUBLE' })),
    { name: SHARD.weight, type: 'FLOAT' },
    ...(order === undefined ? [] : [PLACE]),
  ];
  const placesOf = order === undefined ? undefined : candidatePlaces(order);
  return writeFile(job, directory, path, columns, streamRange(job, 'candidate', range), (chunk) => {
    const { rowCount } = chunk;
    const surfaces = numbersOf(chunk, STAGED.surface).values as Int32Array;
    const encoded = encodeChunk(job, 'candidate', chunk, surfaces);
    const labels = job.labels.map((task) => readFloats(chunk, labelColumn(task), new Float32Array(rowCount)));
    job.counter.addCandidates(surfaces, labels);
    job.advance(0, rowCount);
    return [
      ...states.map((state) => asWritten(encoded.get(state.name)!)),
      ...labels,
      ...job.probabilities.map((name) => readFloats(chunk, name, new Float64Array(rowCount))),
      readFloats(chunk, STAGED.weight, new Float32Array(rowCount)),
      ...(placesOf === undefined ? [] : [placesOf(rowCount)]),
    ];
  });
};

/** Tasks that have a staging column made by `columnOf`. */
const tasksWith = (staged: readonly string[], columnOf: (task: string) => string): readonly string[] => {
  const prefix = columnOf('');
  return staged.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
};

/**
 * Encodes one split of the staging tables and writes its shards as `<split>/requests-00000.parquet` and
 * `<split>/candidates-00000.parquet` under `directory`. Rows stream: memory is bounded by one shard. The same tables
 * and encoders give the same bytes.
 *
 * @throws IoError when a file cannot be written
 */
export const writeShards = async (
  database: Database,
  staged: StagedTables,
  encoders: EncoderSet,
  split: Split,
  directory: string,
  { shardCandidates, onProgress }: WriteShardsOptions,
): Promise<WrittenShards> => {
  const { firstKey, requests: totalRequests, candidates: totalCandidates } = staged.splits[split];
  let written = { requests: 0, candidates: 0 };
  try {
    const described = await database.rows<{ column_name: string }>(`DESCRIBE ${STAGED_CANDIDATES}`);
    const features = new Set(staged.columns.map((column) => column.name));
    const names = described.map((row) => row.column_name).filter((name) => !features.has(name));
    const labels = tasksWith(names, labelColumn);
    const job: Job = {
      database,
      encoder: createEncoder(encoders),
      viewTypes: new Map(encoders.viewTypes.map((name, index) => [name, index])),
      labels,
      probabilities: [truthColumn, outsideColumn].flatMap((columnOf) => tasksWith(names, columnOf).map(columnOf)),
      counter: createSurfaceCounter(encoders.surfaces, labels),
      advance: (requests, candidates) => {
        written = { requests: written.requests + requests, candidates: written.candidates + candidates };
        onProgress?.({ ...written, totalRequests, totalCandidates });
      },
    };
    await mkdir(join(directory, split), { recursive: true });
    const shards: ShardEntry[] = [];
    for (const range of await planShards(database, { firstKey, requests: totalRequests, candidates: totalCandidates }, shardCandidates)) {
      // What is trained on is shuffled anyway; held-out rows are read in time order.
      const order = split === 'train' ? await orderByUser(database, range) : undefined;
      const number = String(shards.length).padStart(5, '0');
      shards.push({
        requests: await writeRequests(job, directory, `${split}/requests-${number}.parquet`, range, order),
        candidates: await writeCandidates(job, directory, `${split}/candidates-${number}.parquet`, range, order),
        requestCount: range.requestCount,
        candidateCount: range.candidateCount,
      });
    }
    return { shards, counts: job.counter.counts() };
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) {
      throw new IoError(`cannot write the prepared dataset: ${error.message}`, { where: directory, expected: 'a folder this user may write to', fix: 'choose another workspace or free space', cause: error });
    }
    throw explainDuckDbError(error, { where: directory });
  }
};
