/**
 * What was served, as Parquet: the features as they were scored, whether the request or the store had them, and the scores.
 * `prepare` reads it back, so that training sees what serving saw. A row a request; candidates' columns are lists.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { explainIoFailure } from '../../data/io-failure.js';
import type { Database } from '../../data/duckdb.js';
import type { RawColumn } from '../../data/raw-column.js';
import { RAW } from '../../data/raw-rows.js';
import { sequenceFields, wholeSequences, type SequenceFields } from '../engine/whole-sequences.js';
import { isTime, type RawInput, type RawRequest, type ScoredRequest, type ServedSurface } from '../raw-request.js';

export interface FeatureLogOptions {
  /** Files are `<surface>/<time>-<id>.parquet` in it. */
  readonly directory: string;
  /** Share of the requests, 0 to 1; the same requests wherever they are served, where they have ids. */
  readonly sample: number;
  /** Gets a line when something could not be written, not more often than every ten seconds. */
  readonly onNotice: (message: string) => void;
  /** Requests of a file, at most. Default 5,000. */
  readonly fileRequests?: number;
  /** Milliseconds after which a file is written all the same. Default 60,000. */
  readonly fileMs?: number;
}

export interface FeatureLogCounts {
  /** Requests in files. */
  readonly written: number;
  /** Requests that could not be written. */
  readonly dropped: number;
}

/** A log of served requests; it never holds a request up. */
export interface FeatureLog {
  log(request: RawRequest, result: ScoredRequest, surface: ServedSurface): void;
  readonly counts: FeatureLogCounts;
  /** Writes what is left. */
  close(): Promise<void>;
}

const NOTICE_MS = 10_000;

/** Bytes of lines that wait to be written, of all surfaces: more are dropped rather than kept. */
const MOST_BYTES = 256 * 2 ** 20;

const isSampled = (requestId: string | undefined, sample: number): boolean => {
  if (sample >= 1) return true;
  if (requestId === undefined) return Math.random() < sample;
  return createHash('sha256').update(requestId).digest().readUInt32LE(0) < sample * 2 ** 32;
};

const valueAt = (column: RawColumn, row: number): unknown => {
  if (column.type === 'string') return column.values[row] ?? null;
  if (!column.valid(row)) return null;
  if (column.type === 'number') return column.values[row]!;
  const list: unknown[] = [];
  for (let at = column.offsets[row]!; at < column.offsets[row + 1]!; at += 1) list.push(valueAt(column.child, at));
  return list;
};

/** SQL type of a column of one row. */
const typeOf = ({ type, form }: RawInput): string => {
  const scalar = type === 'text' ? 'VARCHAR' : 'DOUBLE';
  return form === 'scalar' ? scalar : `${scalar}[]`;
};

/** Columns of a file, in order, with their types. */
const columnsOf = ({ inputs, tasks }: Pick<ServedSurface, 'inputs' | 'tasks'>): readonly (readonly [name: string, type: string])[] => [
  [RAW.requestId, 'VARCHAR'],
  [RAW.userId, 'VARCHAR'],
  // With their fractions: what is before a request by less than a millisecond is before it still.
  [RAW.time, 'DOUBLE'],
  [RAW.viewType, 'VARCHAR'],
  ['@version', 'VARCHAR'],
  ...inputs.map((input) => [input.name, input.side === 'request' ? typeOf(input) : `${typeOf(input)}[]`] as const),
  ...tasks.map((task) => [`probability.${task}`, 'FLOAT[]'] as const),
];

/** Milliseconds, or null for what is no moment. */
const moment = (value: unknown): number | null => (typeof value === 'number' && Math.abs(value) <= 8.64e15 ? value : null);

const moments = (value: unknown): unknown => (Array.isArray(value) ? value.map(moment) : value);

/** Halves of characters, which a client may send and no file of text can hold. */
const HALVES = /\p{Surrogate}/gu;

/** One value that DuckDB could not read would cost all lines of its file. */
const jsonOf = (line: Readonly<Record<string, unknown>>): string => {
  const text = JSON.stringify(line);
  if (!text.includes('\\ud')) return text;
  return JSON.stringify(line, (_, value: unknown) => (typeof value === 'string' ? value.replace(HALVES, '\ufffd') : value));
};

/** Requests of one surface that go to one file. */
interface Batch {
  readonly surface: ServedSurface;
  readonly sequences: SequenceFields;
  readonly lines: string[];
  bytes: number;
}

const lineOf = (request: RawRequest, { scores, version }: ScoredRequest, { surface: { inputs, surface, viewTypes }, sequences }: Batch): string => {
  // As it was scored: training takes no other history.
  const requestColumns = wholeSequences(request.requestColumns, sequences, request.time, () => undefined);
  const line: Record<string, unknown> = {
    [RAW.requestId]: request.requestId ?? randomUUID(),
    [RAW.userId]: request.userId ?? null,
    [RAW.time]: moment(request.time),
    // A surface without view types is one; among others its name would be a view type that there is not.
    [RAW.viewType]: request.viewType ?? (viewTypes.length > 0 ? null : surface),
    '@version': version,
  };
  for (const input of inputs) {
    const { name, side } = input;
    const column = (side === 'request' ? requestColumns : request.candidateColumns).get(name);
    if (column === undefined) line[name] = side === 'request' ? null : new Array<null>(request.candidateCount).fill(null);
    else if (isTime(input)) line[name] = moments(valueAt(column, 0));
    else line[name] = side === 'request' ? valueAt(column, 0) : Array.from({ length: request.candidateCount }, (_, row) => valueAt(column, row));
  }
  for (const [task, values] of Object.entries(scores)) line[`probability.${task}`] = Array.from(values);
  return `${jsonOf(line)}\n`;
};

class ParquetFeatureLog implements FeatureLog {
  readonly #options: Required<FeatureLogOptions>;
  readonly #batches = new Map<string, Batch>();
  readonly #timer: NodeJS.Timeout;
  #database: Promise<Database> | undefined;
  #last: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  #written = 0;
  #dropped = 0;
  #noticedAt = -Infinity;

  constructor(options: FeatureLogOptions) {
    this.#options = { fileRequests: 5000, fileMs: 60_000, ...options };
    this.#timer = setInterval(() => {
      this.#flush();
    }, this.#options.fileMs);
    this.#timer.unref();
  }

  get counts(): FeatureLogCounts {
    return { written: this.#written, dropped: this.#dropped };
  }

  log(request: RawRequest, result: ScoredRequest, surface: ServedSurface): void {
    if (request.candidateCount === 0 || !isSampled(request.requestId, this.#options.sample)) return;
    if (this.#waitingBytes > MOST_BYTES) {
      this.#drop(1, 'too much waits to be written');
      return;
    }
    // Another version may read other features: its rows are in another file.
    const key = `${surface.surface}/${surface.version}`;
    const batch = this.#batches.get(key) ?? { surface, sequences: sequenceFields(surface.inputs), lines: [], bytes: 0 };
    this.#batches.set(key, batch);
    let line: string;
    try {
      line = lineOf(request, result, batch);
    } catch (error) {
      this.#drop(1, String(error));
      return;
    }
    batch.lines.push(line);
    batch.bytes += line.length;
    this.#waitingBytes += line.length;
    if (batch.lines.length >= this.#options.fileRequests) this.#write(key, batch);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#flush();
    await this.#last;
    (await this.#database?.catch(() => undefined))?.close();
  }

  #flush(): void {
    for (const [key, batch] of this.#batches) this.#write(key, batch);
  }

  #write(key: string, batch: Batch): void {
    this.#batches.delete(key);
    this.#last = this.#last.then(async () => {
      try {
        await this.#writeFile(batch);
        this.#written += batch.lines.length;
      } catch (error) {
        this.#drop(batch.lines.length, error instanceof Error ? error.message : String(error));
      } finally {
        this.#waitingBytes -= batch.bytes;
      }
    });
  }

  /** Lines go to a file of JSON, and DuckDB makes it Parquet on threads of its own. */
  async #writeFile({ surface, lines }: Batch): Promise<void> {
    const directory = join(this.#options.directory, surface.surface.replaceAll(/[^\w.-]/g, '_'));
    const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${randomUUID().slice(0, 8)}`;
    // No pattern that a reader of Parquet would use matches these.
    const [json, partial] = [join(directory, `.${name}.jsonl`), join(directory, `.${name}.partial`)];
    try {
      await mkdir(directory, { recursive: true });
      const file = await open(json, 'w');
      try {
        for (const line of lines) await file.appendFile(line);
      } finally {
        await file.close();
      }
      this.#database ??= openQuietly();
      const database = await this.#database;
      const { quoteIdentifier, quoteLiteral } = await import('../../data/duckdb.js');
      const columns = columnsOf(surface).map(([column, type]) => `${quoteIdentifier(column)}: '${type}'`);
      await database.run(
        `COPY (SELECT * FROM read_json(${quoteLiteral(json)}, format = 'newline_delimited', columns = {${columns.join(', ')}}, maximum_object_size = 67108864))
         TO ${quoteLiteral(partial)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`,
      );
      await rename(partial, join(directory, `${name}.parquet`));
    } catch (error) {
      throw explainIoFailure(error, directory);
    } finally {
      await rm(json, { force: true }).catch(() => undefined);
      await rm(partial, { force: true }).catch(() => undefined);
    }
  }

  #drop(requests: number, reason: string): void {
    this.#dropped += requests;
    if (performance.now() - this.#noticedAt < NOTICE_MS) return;
    this.#noticedAt = performance.now();
    this.#options.onNotice(`${this.#dropped} served requests could not be logged so far: ${reason}`);
  }
}

const openQuietly = async (): Promise<Database> => {
  const { openDatabase } = await import('../../data/duckdb.js');
  return openDatabase({ threads: 1 });
};

/** Opens a feature log. Nothing is written before there is something to write. */
export const createFeatureLog = (options: FeatureLogOptions): FeatureLog => new ParquetFeatureLog(options);
