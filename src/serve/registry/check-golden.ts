/** Whether a version predicts here what it did where it was exported. */
import { join } from 'node:path';
import { ArtifactError, OnefoldError, ParityError } from '../../config/errors.js';
import { openDatabase, quoteIdentifier, quoteLiteral } from '../../data/duckdb.js';
import { createEncoder } from '../../data/encode.js';
import type { EncoderSet } from '../../data/encoder-state.js';
import { encodeRaw } from '../../export/encode-raw.js';
import { probabilityColumn } from '../../export/golden-rows.js';
import { EXPORT_FILES, type ExportManifest } from '../../export/manifest.js';
import type { EncodedRows } from '../../export/open-export.js';
import { readRawRows } from '../../export/raw-rows.js';

/** Largest difference between a prediction and the one stored at export. */
export const GOLDEN_TOLERANCE = 1e-5;

/** What DuckDB says of rows that it cannot read, as an error of the export: its checksums held, so it was written like that. */
const unreadable = (golden: string, error: unknown): unknown => {
  if (error instanceof OnefoldError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ArtifactError(`${golden} cannot be read: ${reason}`, { where: golden, expected: 'the golden rows of an export, as Parquet', fix: 'export the model again', cause: error });
};

const readable = async function* <T>(golden: string, rows: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* rows;
  } catch (error) {
    throw unreadable(golden, error);
  }
};

/**
 * Scores the golden rows of an export from their raw values.
 *
 * @throws ParityError naming the first row and task whose prediction differs by more than the tolerance; ArtifactError when the rows
 * cannot be read
 */
export const checkGolden = async (
  directory: string,
  manifest: ExportManifest,
  encoders: EncoderSet,
  score: (rows: EncodedRows) => Promise<Readonly<Record<string, Float32Array>>>,
): Promise<void> => {
  const golden = join(directory, EXPORT_FILES.golden);
  const database = await openDatabase({ threads: 1 });
  try {
    const columns = manifest.tasks.map((task) => quoteIdentifier(probabilityColumn(task)));
    const expected = await database.rows<Record<string, number>>(`SELECT ${columns.join(', ')} FROM read_parquet(${quoteLiteral(golden)})`).catch((error: unknown) => {
      throw unreadable(golden, error);
    });
    const encoder = createEncoder(encoders);
    for await (const rows of readable(golden, readRawRows(database, manifest.source, golden, { directory: '/', serving: true }))) {
      const actual = await score(encodeRaw(rows, encoder, manifest.surface, true));
      for (let row = 0; row < rows.candidateCount; row += 1) {
        const place = rows.fileRows[row]!;
        for (const task of manifest.tasks) {
          const [found, wanted] = [actual[task]![row]!, expected[place - 1]![probabilityColumn(task)]!];
          if (Math.abs(found - wanted) <= GOLDEN_TOLERANCE) continue;
          throw new ParityError(`${manifest.surface}: golden row ${place} gets ${found} for task "${task}"; it was exported with ${wanted}`, {
            where: `${golden}, row ${place}`,
            expected: `a difference of at most ${GOLDEN_TOLERANCE}`,
            fix: 'export the model again; report this with the export and the machine that show it',
          });
        }
      }
    }
  } finally {
    database.close();
  }
};
