import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../config/errors.js';
import { openDatabase, quoteIdentifier, quoteLiteral, type Database } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import { explainIoFailure } from '../data/io-failure.js';
import { encodeRaw } from './encode-raw.js';
import { probabilityColumn } from './golden-rows.js';
import { openExport } from './open-export.js';
import { readRawRows } from './raw-rows.js';

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
  /** File to write, by its extension Parquet, CSV or JSONL. */
  readonly output: string;
  readonly threads?: number;
  readonly onProgress?: (rows: number) => void;
}

export interface PredictResult {
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

const writeOutput = async (database: Database, options: PredictOptions, tasks: readonly string[], format: string): Promise<void> => {
  const output = resolve(options.output);
  const partial = join(dirname(output), `.${basename(output)}.partial-${process.pid}`);
  const keys = tasks.map((task) => `p.${quoteIdentifier(probabilityColumn(task))}`);
  try {
    await mkdir(dirname(output), { recursive: true });
    // The relation that was scored numbers its rows; predictions were appended in that order.
    await database.run(
      `COPY (SELECT r.* EXCLUDE ("@file", "@row"), ${keys.join(', ')} FROM (SELECT *, row_number() OVER () AS "@n" FROM source_0) r
       JOIN (SELECT *, row_number() OVER () AS "@n" FROM predictions) p USING ("@n") ORDER BY "@n") TO ${quoteLiteral(partial)} (${format})`,
    );
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw explainIoFailure(error, output);
  }
};

/**
 * Scores raw rows of one surface with an export alone: no project, no prepared data. Writes the rows as they came with a
 * `probability.<task>` column per task.
 *
 * @throws ArtifactError when the export is torn; DataError naming the column or row that does not fit; IoError
 */
export const predict = async (options: PredictOptions): Promise<PredictResult> => {
  const format = formatOf(options.output);
  const opened = await openExport(options.exported, options.threads === undefined ? {} : { threads: options.threads });
  const { manifest, encoders } = opened;
  // On disk: raw rows may be larger than memory.
  const scratch = await mkdtemp(join(tmpdir(), 'onefold-predict-'));
  const database = await openDatabase({ threads: 2, path: join(scratch, 'rows.duckdb'), tempDirectory: scratch });
  try {
    const encoder = createEncoder(encoders);
    let [rowCount, requests] = [0, 0];
    const writer = await database.tableWriter('predictions', manifest.tasks.map((task) => ({ name: probabilityColumn(task), type: 'FLOAT' as const })));
    for await (const rows of readRawRows(database, manifest.source, resolve(options.input), process.cwd())) {
      const probabilities = await opened.score(encodeRaw(rows, encoder, manifest.surface, true));
      writer.append(manifest.tasks.map((task) => probabilities[task]!), 0, rows.candidateCount);
      rowCount += rows.candidateCount;
      requests += rows.requestRows.length;
      options.onProgress?.(rowCount);
    }
    writer.close();
    await writeOutput(database, options, manifest.tasks, format);
    return { rows: rowCount, requests, tasks: manifest.tasks };
  } finally {
    database.close();
    await rm(scratch, { recursive: true, force: true });
    await opened.close();
  }
};
