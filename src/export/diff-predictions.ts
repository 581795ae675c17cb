/** What two exports make of the same raw rows. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logitOf } from '../calibrate/apply-layer.js';
import { DataError } from '../config/errors.js';
import { openDatabase } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import { rankCorrelation } from '../evaluate/rank-correlation.js';
import { encodeRaw } from './encode-raw.js';
import type { OpenExport } from './open-export.js';
import { readRawRows } from './raw-rows.js';

/** Predictions of one task, b − a. */
export interface TaskDiff {
  readonly task: string;
  /** Mean predictions. */
  readonly a: number;
  readonly b: number;
  readonly maxDifference: number;
  /** Row of the file, from 1, that differs most. */
  readonly atRow: number;
  /** Mean of the absolute differences. */
  readonly meanDifference: number;
  /** Mean difference of the logits, with its sign. */
  readonly meanLogitShift: number;
  /** Spearman's; null where one of them predicts the same for every row. */
  readonly rankCorrelation: number | null;
}

export interface PredictionDiff {
  readonly file: string;
  readonly candidates: number;
  readonly tasks: readonly TaskDiff[];
}

export interface RowsToScore {
  readonly file: string;
  /** Where relative file names start. */
  readonly directory: string;
  readonly stopIfAsked: () => void;
  readonly onProgress?: ((candidates: number) => void) | undefined;
}

interface Scored {
  readonly probabilities: ReadonlyMap<string, Float32Array>;
  readonly fileRows: Float64Array;
}

const joined = <T extends Float32Array | Float64Array>(parts: readonly T[], into: T): T => {
  let at = 0;
  for (const part of parts) {
    into.set(part, at);
    at += part.length;
  }
  return into;
};

const scoreAll = async ({ manifest, encoders, score }: OpenExport, rows: RowsToScore, events: Readonly<Record<string, string>>): Promise<Scored> => {
  // On disk: raw rows may be larger than memory.
  const scratch = await mkdtemp(join(tmpdir(), 'onefold-diff-'));
  const database = await openDatabase({ threads: 2, path: join(scratch, 'rows.duckdb'), tempDirectory: scratch });
  try {
    const encoder = createEncoder(encoders);
    const parts = new Map(manifest.tasks.map((task) => [task, [] as Float32Array[]]));
    const places: Float64Array[] = [];
    let count = 0;
    for await (const chunk of readRawRows(database, manifest.source, rows.file, { directory: rows.directory, serving: true, events })) {
      rows.stopIfAsked();
      const probabilities = await score(encodeRaw(chunk, encoder, manifest.surface, true));
      for (const [task, list] of parts) list.push(probabilities[task]!);
      places.push(chunk.fileRows);
      count += chunk.candidateCount;
      rows.onProgress?.(count);
    }
    return { probabilities: new Map([...parts].map(([task, list]) => [task, joined(list, new Float32Array(count))])), fileRows: joined(places, new Float64Array(count)) };
  } finally {
    database.close();
    await rm(scratch, { recursive: true, force: true });
  }
};

const compareTask = (task: string, a: Float32Array, b: Float32Array, fileRows: Float64Array): TaskDiff => {
  let [sumA, sumB, differences, shifts, largest, at] = [0, 0, 0, 0, 0, 0];
  for (let row = 0; row < a.length; row += 1) {
    const difference = Math.abs(b[row]! - a[row]!);
    sumA += a[row]!;
    sumB += b[row]!;
    differences += difference;
    shifts += logitOf(b[row]!) - logitOf(a[row]!);
    if (difference > largest) [largest, at] = [difference, row];
  }
  const rows = a.length;
  return { task, a: sumA / rows, b: sumB / rows, maxDifference: largest, atRow: fileRows[at]!, meanDifference: differences / rows, meanLogitShift: shifts / rows, rankCorrelation: rankCorrelation(a, b) };
};

/**
 * Scores the rows of a file with both exports, and compares the tasks that both have.
 *
 * @param events files with the events of joined sequences, for either export
 * @throws DataError naming the column or row that does not fit one of them, or when there is no row
 */
export const diffPredictions = async (
  [a, b]: readonly [OpenExport, OpenExport],
  rows: RowsToScore,
  [eventsOfA, eventsOfB]: readonly [Readonly<Record<string, string>>, Readonly<Record<string, string>>] = [{}, {}],
): Promise<PredictionDiff> => {
  const [before, after] = [await scoreAll(a, rows, eventsOfA), await scoreAll(b, rows, eventsOfB)];
  const candidates = before.fileRows.length;
  if (candidates === 0 || after.fileRows.length !== candidates) {
    throw new DataError(candidates === 0 ? `${rows.file} has no rows` : `${rows.file} has ${candidates} candidates for one export and ${after.fileRows.length} for the other`, {
      where: rows.file,
      expected: 'rows that both exports can score',
      fix: 'give rows in the layout that both exports read, such as golden.parquet of one of them',
    });
  }
  const tasks = a.manifest.tasks.filter((task) => b.manifest.tasks.includes(task));
  return { file: rows.file, candidates, tasks: tasks.map((task) => compareTask(task, before.probabilities.get(task)!, after.probabilities.get(task)!, before.fileRows)) };
};
