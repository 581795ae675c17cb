/** A new version of an export whose calibration is fitted to fresh logs: nothing is trained, nothing else changes. */
import { existsSync } from 'node:fs';
import { constants, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { applyLayer, logitOf, sigmoid } from '../calibrate/apply-layer.js';
import { calibratePredictions } from '../calibrate/calibrate-predictions.js';
import type { Calibration } from '../calibrate/calibration.js';
import { fitCalibration } from '../calibrate/fit-calibration.js';
import { DataError, ParityError, UsageError } from '../config/errors.js';
import { stopIfAborted } from '../config/interruption.js';
import { CALIBRATION_METHODS, type CalibrationMethod } from '../config/unify-plan.js';
import { openDatabase } from '../data/duckdb.js';
import { createEncoder, type Encoder } from '../data/encode.js';
import { writeWholeFolder } from '../data/whole-folder.js';
import { calibrationRatio } from '../evaluate/calibration.js';
import { concatPredictions } from '../evaluate/concat-predictions.js';
import type { Predictions, TaskPredictions } from '../evaluate/predictions.js';
import { encodeRaw } from './encode-raw.js';
import { eventFiles } from './event-files.js';
import { exportFiles, writeManifest } from './export-files.js';
import { writeGoldenRows } from './golden-rows.js';
import { calibrationInitializers, layersByViewType, surfaceCalibration } from './graph-calibration.js';
import { scoreLabelled } from './labelled-rows.js';
import { digestOf, EXPORT_FILES, type ExportManifest } from './manifest.js';
import { readExport, scoreWith, type OpenExport } from './open-export.js';
import { PARITY_TOLERANCE } from './parity.js';
import { readRawRows } from './raw-rows.js';
import { replaceInitializers } from './replace-initializers.js';

const DEFAULT_FOLDS = 5;

/** The graph without calibration, while the new one is fitted. */
const BARE_GRAPH = 'model.bare.onnx';

const INTERRUPTED = 'calibrating was interrupted; nothing was written';

export interface RecalibrateOptions {
  /** Folder of an export. */
  readonly exported: string;
  /** Raw rows of its surface's logs, with labels: Parquet, CSV or JSONL. */
  readonly input: string;
  /** Files with the events of sequences that training joined, by sequence. */
  readonly events?: Readonly<Record<string, string>>;
  /** Folder of the new export. */
  readonly output: string;
  /** Methods to choose from. Default: all. */
  readonly methods?: readonly CalibrationMethod[];
  /** Parts of the users that the choice is cross-validated over. Default 5. */
  readonly folds?: number;
  readonly threads?: number;
  readonly onProgress?: (rows: number) => void;
  /** Stops between two chunks, leaving nothing behind. */
  readonly signal?: AbortSignal;
}

/** What a refit did to a task on the rows it was fitted to. */
export interface RecalibratedTask {
  readonly task: string;
  readonly method: CalibrationMethod;
  /** Labelled candidates. */
  readonly rows: number;
  readonly positives: number;
  /** Sum of predictions over sum of labels, with the calibration that the export had and with the new one; null without positives. */
  readonly ratio: { readonly before: number | null; readonly after: number | null };
}

export interface RecalibrateResult {
  readonly rows: number;
  readonly tasks: readonly RecalibratedTask[];
  readonly manifest: ExportManifest;
}

type Scored = Pick<OpenExport, 'score'>;

/** What an export says of itself. */
interface Read {
  readonly manifest: ExportManifest;
  readonly encoder: Encoder;
}

/** A folder that is something else is not replaced. */
const checkOutput = async (output: string, exported: string): Promise<void> => {
  if (resolve(output) === exported) {
    throw new UsageError(`${output} is the export that is calibrated anew`, { where: '--output', expected: 'another folder', fix: 'name a new folder, so that the version that serves now can be gone back to' });
  }
  if (!existsSync(output) || existsSync(join(output, EXPORT_FILES.manifest))) return;
  const entries = await readdir(output).catch(() => ['']);
  if (entries.length > 0) throw new UsageError(`${output} is there, and is no export`, { where: '--output', expected: 'a new folder, or an older export to replace', fix: 'name another folder' });
};

/** A graph of the export with another calibration. */
const graphWith = async (exported: string, { manifest: { surface, tasks }, encoder }: Read, calibration: Calibration | null, file: string = EXPORT_FILES.graph): Promise<Uint8Array> => {
  const graph = join(exported, file);
  return replaceInitializers(await readFile(graph), calibrationInitializers(calibration, tasks, { surface, viewTypes: encoder.set.viewTypes }), graph);
};

const ratioOf = ({ labels, probabilities }: TaskPredictions): number | null => {
  const rows = [...labels.keys()].filter((row) => !Number.isNaN(labels[row]!));
  const ratio = calibrationRatio(rows.map((row) => labels[row]!), rows.map((row) => probabilities[row]!));
  return Number.isFinite(ratio) ? ratio : null;
};

const describeRefit = (tasks: readonly string[], predictions: Predictions, present: Calibration | null, fitted: Calibration): readonly RecalibratedTask[] => {
  const [before, after] = [present === null ? predictions : calibratePredictions(present, predictions), calibratePredictions(fitted, predictions)];
  return tasks.map((task) => {
    const of = (scored: Predictions): TaskPredictions => scored.tasks.find((one) => one.task === task)!;
    const labels = of(predictions).labels.filter((label) => !Number.isNaN(label));
    return {
      task,
      method: fitted.tasks.find((one) => one.task === task)?.method ?? 'identity',
      rows: labels.length,
      positives: labels.reduce((sum, label) => sum + label, 0),
      ratio: { before: ratioOf(of(before)), after: ratioOf(of(after)) },
    };
  });
};

/** The labelled rows with what the export says of them before any calibration. */
const scoreRows = async (options: RecalibrateOptions, { manifest, encoder }: Read, bare: Scored): Promise<Predictions> => {
  const { tasks, source } = manifest;
  const file = resolve(options.input);
  const scratch = await mkdtemp(join(tmpdir(), 'onefold-calibrate-'));
  const database = await openDatabase({ threads: 2, path: join(scratch, 'rows.duckdb'), tempDirectory: scratch });
  const chunks: Predictions[] = [];
  let rows = 0;
  try {
    for await (const chunk of scoreLabelled(database, { schema: source, encoder, exported: bare, tasks, file, events: eventFiles(source, options.events ?? {}) })) {
      stopIfAborted(options.signal, INTERRUPTED, options.output);
      chunks.push(chunk);
      rows += chunk.count;
      options.onProgress?.(rows);
    }
  } finally {
    database.close();
    await rm(scratch, { recursive: true, force: true });
  }
  if (!chunks.some((chunk) => chunk.tasks.some(({ labels }) => labels.some((label) => !Number.isNaN(label))))) {
    throw new DataError(`${file} has no label in any row`, { where: file, expected: `0 or 1 in ${Object.values(source.labels).join(', ')}`, fix: 'give rows whose outcome is known' });
  }
  return concatPredictions(chunks);
};

/** @throws ParityError where the written graph does not give what its layers give */
const checkGraph = async ({ manifest, encoder }: Read, calibration: Calibration, bare: Scored, written: Scored, golden: string): Promise<void> => {
  const { surface, tasks, source } = manifest;
  const layers = new Map(tasks.map((task) => [task, layersByViewType(calibration, task, { surface, viewTypes: encoder.set.viewTypes })]));
  const database = await openDatabase({ threads: 1 });
  try {
    for await (const rows of readRawRows(database, source, golden, { directory: '/', serving: true })) {
      const encoded = encodeRaw(rows, encoder, surface, true);
      const [before, after] = [await bare.score(encoded), await written.score(encoded)];
      for (const task of tasks) {
        after[task]!.forEach((probability, row) => {
          const layer = layers.get(task)![encoded.viewTypes[encoded.rowToRequest[row]!]!]!;
          const expected = sigmoid(applyLayer(layer, logitOf(before[task]![row]!)));
          if (Math.abs(expected - probability) <= PARITY_TOLERANCE) return;
          throw new ParityError(`${surface}: the recalibrated graph predicts ${probability} for golden row ${row}, task "${task}"; its layers give ${expected}`, {
            where: `${golden}, row ${row}`,
            expected: `a difference of at most ${PARITY_TOLERANCE}`,
            fix: 'nothing was written; report this with the export that shows it',
          });
        });
      }
    }
  } finally {
    database.close();
  }
};

/** Golden rows with the new probabilities. */
const writeGolden = async (exported: string, directory: string, read: Read, calibration: Calibration, bare: Scored, threads: number): Promise<void> => {
  const golden = join(exported, EXPORT_FILES.golden);
  const written = await scoreWith(directory, read.manifest.inputs, threads);
  try {
    await checkGraph(read, calibration, bare, written, golden);
    await writeGoldenRows({ directory, schema: read.manifest.source, encoders: read.encoder.set, rawFile: golden, exported: written });
  } finally {
    await written.close();
  }
};

/**
 * Fits the calibration of an export to labelled rows of its surface, and writes the export with that calibration.
 *
 * @throws ArtifactError when the export is torn; DataError naming the column or row that does not fit, or for rows without any
 * label; UsageError for an output that is something else; IoError
 */
export const recalibrate = async (options: RecalibrateOptions): Promise<RecalibrateResult> => {
  const { output, methods = CALIBRATION_METHODS, folds = DEFAULT_FOLDS, threads = 1 } = options;
  const { manifest, encoders } = await readExport(options.exported);
  const exported = resolve(options.exported);
  await checkOutput(output, exported);
  const { surface, tasks, inputs, calibration: present } = manifest;
  const read: Read = { manifest, encoder: createEncoder(encoders) };
  return writeWholeFolder(output, async (directory) => {
    await writeFile(join(directory, BARE_GRAPH), await graphWith(exported, read, null));
    for (const name of [EXPORT_FILES.tables, EXPORT_FILES.encoders, EXPORT_FILES.requestGraph, EXPORT_FILES.fused]) {
      if (!existsSync(join(exported, name))) continue;
      // No hard links: the onnx package refuses external data that has several. Blocks are shared where the file system can.
      await copyFile(join(exported, name), join(directory, name), constants.COPYFILE_FICLONE);
    }
    const bare = await scoreWith(directory, inputs, threads, BARE_GRAPH);
    try {
      const predictions = await scoreRows(options, read, bare);
      const fitted = fitCalibration(predictions, { methods, folds, ...(present === null ? {} : { present }) });
      const calibration = surfaceCalibration(fitted, surface, tasks);
      await writeFile(join(directory, EXPORT_FILES.graph), await graphWith(exported, read, calibration));
      if (existsSync(join(exported, EXPORT_FILES.candidateGraph))) {
        await writeFile(join(directory, EXPORT_FILES.candidateGraph), await graphWith(exported, read, calibration, EXPORT_FILES.candidateGraph));
      }
      await writeGolden(exported, directory, read, calibration, bare, threads);
      await rm(join(directory, BARE_GRAPH));
      const report = describeRefit(tasks, predictions, present, calibration);
      const rows = Math.max(...report.map((task) => task.rows));
      const lineage = { ...manifest.lineage, recalibrated: { from: digestOf(manifest), rows } };
      const written: ExportManifest = { ...manifest, calibration, lineage, files: await exportFiles(directory) };
      await writeManifest(directory, written);
      stopIfAborted(options.signal, INTERRUPTED, output);
      return { rows, tasks: report, manifest: written };
    } finally {
      await bare.close();
    }
  });
};
