import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { IoError, UsageError } from '../config/errors.js';
import { stopIfAborted } from '../config/interruption.js';
import { explainDuckDbError, openDatabase, quoteIdentifier, quoteLiteral, type Database } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import { explainIoFailure } from '../data/io-failure.js';
import { encodeRaw } from './encode-raw.js';
import { eventFiles } from './event-files.js';
import { probabilityColumn } from './golden-rows.js';
import type { ExportManifest } from './manifest.js';
import { openExport } from './open-export.js';
import { NUMBER_COLUMN } from './raw-history.js';
import { readRawRows } from './raw-rows.js';
import { layoutOf } from './raw-schema.js';

const FORMATS: Readonly<Record<string, string>> = {
  '.parquet': 'FORMAT parquet, COMPRESSION zstd',
  '.csv': 'FORMAT csv, HEADER',
  '.jsonl': 'FORMAT json',
};

export interface PredictOptions {
  /** Folder of an export. */
  readonly exported: string;
  /** Raw rows: Parquet, CSV or JSONL. */
  readonly input: string;
  /** Files with the events of sequences that training joined, by sequence; without them histories are lists in the rows. */
  readonly events?: Readonly<Record<string, string>>;
  /** File to write, by its extension Parquet, CSV or JSONL. */
  readonly output: string;
  readonly threads?: number;
  readonly onProgress?: (rows: number) => void;
  /** Stops between two chunks, leaving nothing behind. */
  readonly signal?: AbortSignal;
}

export interface PredictResult {
  /** Candidates scored. */
  readonly rows: number;
  readonly requests: number;
  readonly tasks: readonly string[];
}

const formatOf = (output: string): string => {
  const extension = Object.keys(FORMATS).find((one) => output.endsWith(one));
  if (extension === undefined) {
    throw new UsageError(`cannot tell the format of ${output}`, { where: '--output', expected: `a file that ends in ${Object.keys(FORMATS).join(', ')}`, fix: 'name such a file' });
  }
  return FORMATS[extension]!;
};

/** Begins the file that becomes the output, so that one that cannot be written is known before anything is scored. */
const beginOutput = async (output: string, partial: string): Promise<void> => {
  const found = await stat(output).catch(() => undefined);
  if (found?.isDirectory() === true) {
    throw new IoError(`${output} is a folder`, { where: '--output', expected: 'a file to write', fix: 'name a file in it' });
  }
  try {
    await mkdir(dirname(output), { recursive: true });
    await writeFile(partial, '');
  } catch (error) {
    throw explainIoFailure(error, output);
  }
};

const writeOutput = async (database: Database, output: string, partial: string, { tasks, source }: ExportManifest, format: string): Promise<void> => {
  const probabilities = tasks.map((task) => quoteIdentifier(probabilityColumn(task)));
  const number = quoteIdentifier(NUMBER_COLUMN);
  try {
    // Rows scored before, such as golden ones, get the new probabilities in place of the old.
    const columns = (await database.rows<{ column_name: string }>('DESCRIBE source_0')).map((row) => row.column_name);
    const scoredBefore = columns.map(quoteIdentifier).filter((column) => probabilities.some((own) => own.toLowerCase() === column.toLowerCase()));
    const dropped = ['"@file"', '"@row"', number, ...scoredBefore];
    const lists = probabilities.map((name) => `list(${name} ORDER BY rowid) AS ${name}`);
    const predictions = layoutOf(source, columns) === 'candidate' ? 'predictions' : `(SELECT ${number}, ${lists.join(', ')} FROM predictions GROUP BY 1)`;
    await database.run(
      `COPY (SELECT r.* EXCLUDE (${dropped.join(', ')}), ${probabilities.map((name) => `p.${name}`).join(', ')} FROM (SELECT *, row_number() OVER () AS ${number} FROM source_0) r
       JOIN ${predictions} p USING (${number}) ORDER BY ${number}) TO ${quoteLiteral(partial)} (${format}, USE_TMP_FILE false)`,
    );
    await rename(partial, output);
  } catch (error) {
    throw explainDuckDbError(error, { where: output });
  }
};

/**
 * Scores raw rows of one surface with an export alone: no project, no prepared data. Writes the rows as they came with a
 * `probability.<task>` column per task: a list of its candidates' where a row is a request.
 *
 * @throws ArtifactError when the export is torn; DataError naming the column or row that does not fit; IoError
 */
export const predict = async (options: PredictOptions): Promise<PredictResult> => {
  const format = formatOf(options.output);
  const output = resolve(options.output);
  const partial = join(dirname(output), `.${basename(output)}.partial-${process.pid}`);
  const opened = await openExport(options.exported, options.threads === undefined ? {} : { threads: options.threads });
  const { manifest, encoders } = opened;
  // On disk: raw rows may be larger than memory.
  const scratch = await mkdtemp(join(tmpdir(), 'onefold-predict-'));
  const database = await openDatabase({ threads: 2, path: join(scratch, 'rows.duckdb'), tempDirectory: scratch });
  try {
    const events = eventFiles(manifest.source, options.events ?? {});
    await beginOutput(output, partial);
    const encoder = createEncoder(encoders);
    let [rowCount, requests] = [0, 0];
    let lastRequest: string | undefined;
    const writer = await database.tableWriter('predictions', [
      { name: NUMBER_COLUMN, type: 'BIGINT' },
      ...manifest.tasks.map((task) => ({ name: probabilityColumn(task), type: 'FLOAT' as const })),
    ]);
    for await (const rows of readRawRows(database, manifest.source, resolve(options.input), { directory: process.cwd(), serving: true, events })) {
      stopIfAborted(options.signal, 'scoring was interrupted; nothing was written', output);
      const probabilities = await opened.score(encodeRaw(rows, encoder, manifest.surface, true));
      writer.append([rows.fileRows, ...manifest.tasks.map((task) => probabilities[task]!)], 0, rows.candidateCount);
      rowCount += rows.candidateCount;
      // A request that goes on from the chunk before is one request.
      requests += rows.requestRows.length - (rows.requestIds[0] === lastRequest ? 1 : 0);
      lastRequest = rows.requestIds.at(-1);
      options.onProgress?.(rowCount);
    }
    writer.close();
    await writeOutput(database, output, partial, manifest, format);
    return { rows: rowCount, requests, tasks: manifest.tasks };
  } finally {
    database.close();
    await rm(scratch, { recursive: true, force: true });
    await rm(partial, { force: true }).catch(() => undefined);
    await opened.close();
  }
};
