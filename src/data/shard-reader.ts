import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactError, OnefoldError } from '../config/errors.js';
import type { Column, Columns } from './columns.js';
import { explainDuckDbError, quoteIdentifier, quoteLiteral, type Database, type RawChunk, type RawColumn, type RawLists, type RawNumbers, type RawStrings } from './duckdb.js';
import type { ColumnState, EncoderSet } from './encoder-state.js';
import { checksumFile } from './file-checksum.js';
import type { FileEntry, ShardEntry } from './prepared.js';
import { SHARD } from './shard-columns.js';
import type { Shard } from './shard.js';
import { labelColumn, outsideColumn, truthColumn } from './staged.js';

const damaged = (file: string, problem: string, cause?: unknown): ArtifactError =>
  new ArtifactError(`${file} ${problem}`, {
    where: file,
    expected: 'the file that the manifest describes',
    fix: 'run `onefold prepare` again',
    cause,
  });

/**
 * Checks that a file of the dataset is the one its manifest describes and returns its path.
 *
 * @throws ArtifactError when it is missing, or its size or content differ
 */
export const checkFile = async (directory: string, entry: FileEntry): Promise<string> => {
  const file = join(directory, entry.path);
  let bytes: number;
  try {
    bytes = (await stat(file)).size;
  } catch (error) {
    throw damaged(file, 'is missing', error);
  }
  if (bytes !== entry.bytes) throw damaged(file, `has ${bytes} bytes; its manifest says ${entry.bytes}`);
  if ((await checksumFile(file)) !== entry.sha256) throw damaged(file, 'has other content than its manifest says');
  return file;
};

/** Collects one column of a file, chunk by chunk. */
interface Collector<T> {
  add(raw: RawColumn, start: number): void;
  finish(): T;
}

const collectInto = <T extends Int32Array | Float32Array | Float64Array>(values: T): Collector<T> => ({
  add(raw, start) {
    const numbers = raw as RawNumbers;
    values.set(numbers.values, start);
    if (values instanceof Int32Array) return;
    for (let row = 0; row < numbers.values.length; row += 1) if (!numbers.valid(row)) values[start + row] = NaN;
  },
  finish: () => values,
});

const collectStrings = (): Collector<readonly string[]> => {
  const values: string[] = [];
  return {
    add(raw) {
      for (const value of (raw as RawStrings).values) values.push(value ?? '');
    },
    finish: () => values,
  };
};

const collectIds = (rowCount: number): Collector<Column> => {
  const offsets = new Int32Array(rowCount + 1);
  let values = new Int32Array(Math.max(1024, rowCount * 4));
  return {
    add(raw, start) {
      const lists = raw as RawLists;
      const base = offsets[start]!;
      for (let row = 1; row < lists.offsets.length; row += 1) offsets[start + row] = base + lists.offsets[row]!;
      const added = (lists.child as RawNumbers).values as Int32Array;
      if (base + added.length > values.length) {
        const grown = new Int32Array(Math.max(values.length * 2, base + added.length));
        grown.set(values);
        values = grown;
      }
      values.set(added, base);
    },
    finish: () => ({ kind: 'ids', offsets, values: values.slice(0, offsets[rowCount]) }),
  };
};

const collectVectors = (rowCount: number, size: number): Collector<Column> => {
  const values = new Float32Array(rowCount * size).fill(NaN);
  return {
    add(raw, start) {
      const lists = raw as RawLists;
      const numbers = (lists.child as RawNumbers).values as Float32Array;
      for (let row = 0; row + 1 < lists.offsets.length; row += 1) {
        if (lists.valid(row)) values.set(numbers.subarray(lists.offsets[row], lists.offsets[row]! + size), (start + row) * size);
      }
    },
    finish: () => ({ kind: 'vector', size, values }),
  };
};

const collectEncoded = (state: ColumnState, rowCount: number): Collector<Column> => {
  switch (state.kind) {
    case 'id': {
      const { add, finish } = collectInto(new Int32Array(rowCount));
      return { add, finish: () => ({ kind: 'id', values: finish() }) };
    }
    case 'ids':
      return collectIds(rowCount);
    case 'number': {
      const { add, finish } = collectInto(new Float32Array(rowCount));
      return { add, finish: () => ({ kind: 'number', values: finish() }) };
    }
    case 'vector':
      return collectVectors(rowCount, state.size);
  }
};

type Collectors = ReadonlyMap<string, Pick<Collector<unknown>, 'add'>>;

const readColumns = async (database: Database, file: string, rowCount: number, collectors: Collectors): Promise<void> => {
  let rows = 0;
  const add = (chunk: RawChunk): void => {
    for (const [name, collector] of collectors) collector.add(chunk.column(name), rows);
    rows += chunk.rowCount;
  };
  const names = [...collectors.keys()].map(quoteIdentifier).join(', ');
  try {
    for await (const chunk of database.stream(`SELECT ${names} FROM read_parquet(${quoteLiteral(file)})`)) {
      if (rows + chunk.rowCount > rowCount) throw damaged(file, `holds more than the ${rowCount} rows its manifest says`);
      add(chunk);
    }
  } catch (error) {
    if (error instanceof OnefoldError) throw error;
    throw damaged(file, 'cannot be read', explainDuckDbError(error, { where: file }));
  }
  if (rows !== rowCount) throw damaged(file, `holds ${rows} rows; its manifest says ${rowCount}`);
};

const columnCollectors = (encoders: EncoderSet, side: ColumnState['side'], rowCount: number): ReadonlyMap<string, Collector<Column>> =>
  new Map(encoders.columns.filter((state) => state.side === side).map((state) => [state.name, collectEncoded(state, rowCount)]));

const finishColumns = (collectors: ReadonlyMap<string, Collector<Column>>): Columns =>
  new Map([...collectors].map(([name, collector]) => [name, collector.finish()]));

const readRequests = async (database: Database, file: string, { requestCount, candidateCount }: ShardEntry, encoders: EncoderSet) => {
  const requestIds = collectStrings();
  const users = collectStrings();
  const times = new Float64Array(requestCount);
  const surfaces = new Int32Array(requestCount);
  const viewTypes = new Int32Array(requestCount);
  const counts = new Int32Array(requestCount);
  const columns = columnCollectors(encoders, 'request', requestCount);
  await readColumns(
    database,
    file,
    requestCount,
    new Map<string, Pick<Collector<unknown>, 'add'>>([
      [SHARD.requestId, requestIds],
      [SHARD.userId, users],
      [SHARD.time, collectInto(times)],
      [SHARD.surface, collectInto(surfaces)],
      [SHARD.viewType, collectInto(viewTypes)],
      [SHARD.candidateCount, collectInto(counts)],
      ...columns,
    ]),
  );
  const offsets = new Int32Array(requestCount + 1);
  for (let request = 0; request < requestCount; request += 1) offsets[request + 1] = offsets[request]! + counts[request]!;
  if (offsets[requestCount] !== candidateCount) {
    throw damaged(file, `accounts for ${offsets[requestCount]} candidates; its manifest says ${candidateCount}`);
  }
  return { offsets, requestIds: requestIds.finish(), users: users.finish(), times, surfaces, viewTypes, requestColumns: finishColumns(columns) };
};

const readCandidates = async (database: Database, file: string, { candidateCount }: ShardEntry, encoders: EncoderSet, tasks: readonly string[]) => {
  const described = await database.rows<{ name: string }>(`SELECT name FROM parquet_schema(${quoteLiteral(file)})`);
  const present = new Set(described.map((row) => row.name));
  const weights = new Float32Array(candidateCount);
  const labels = tasks.map(() => new Float32Array(candidateCount));
  const doubles = (columnOf: (task: string) => string): Map<string, Float64Array> =>
    new Map(tasks.filter((task) => present.has(columnOf(task))).map((task) => [task, new Float64Array(candidateCount)]));
  const [truths, outsides] = [doubles(truthColumn), doubles(outsideColumn)];
  const columns = columnCollectors(encoders, 'candidate', candidateCount);
  await readColumns(
    database,
    file,
    candidateCount,
    new Map<string, Pick<Collector<unknown>, 'add'>>([
      ...columns,
      ...labels.map((values, task) => [labelColumn(tasks[task]!), collectInto(values)] as const),
      ...[...truths].map(([task, values]) => [truthColumn(task), collectInto(values)] as const),
      ...[...outsides].map(([task, values]) => [outsideColumn(task), collectInto(values)] as const),
      [SHARD.weight, collectInto(weights)],
    ]),
  );
  return { labels, weights, truths, outsides, candidateColumns: finishColumns(columns) };
};

/**
 * Reads one shard of the prepared dataset under `directory` into typed arrays.
 *
 * @param tasks the tasks whose labels are wanted, in that order
 * @throws ArtifactError when a file is missing, or its size, checksum or contents differ from the manifest
 */
export const readShard = async (database: Database, directory: string, entry: ShardEntry, encoders: EncoderSet, tasks: readonly string[]): Promise<Shard> => {
  const [requestFile, candidateFile] = await Promise.all([checkFile(directory, entry.requests), checkFile(directory, entry.candidates)]);
  const requests = await readRequests(database, requestFile, entry, encoders);
  const candidates = await readCandidates(database, candidateFile, entry, encoders, tasks);
  return { requestCount: entry.requestCount, candidateCount: entry.candidateCount, ...requests, ...candidates };
};
