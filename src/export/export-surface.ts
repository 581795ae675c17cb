import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stopIfAborted } from '../config/interruption.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { checkFile } from '../data/shard-reader.js';
import { writeWholeFolder } from '../data/whole-folder.js';
import { samplingOffsets } from '../evaluate/score.js';
import { openCheckpoint } from '../train/checkpoint.js';
import type { CheckpointManifest } from '../train/checkpoint-manifest.js';
import { chooseDense, type DenseChoice } from './choose-dense.js';
import { exportFiles, writeManifest } from './export-files.js';
import type { ExportSurfaceOptions } from './export-options.js';
import { writeGoldenRows } from './golden-rows.js';
import { buildFusedGraph, type FusedGraph } from './fused-graph.js';
import { surfaceCalibration } from './graph-calibration.js';
import { EXPORT_FILES, type ExportInput, type ExportManifest } from './manifest.js';
import { scoreWith } from './open-export.js';
import { checkBudget, checkExact, measureRounding, parityReport, type ParityCheck } from './parity.js';
import { rawSchema } from './raw-schema.js';
import { keepRows, type KeptRows } from './renumber.js';
import { buildServingGraph, type ServingGraph, type ServingGraphOptions } from './serving-graph.js';
import { usedRows } from './used-rows.js';
import { writeServingGraph } from './write-graph.js';

/** Only the tables and columns that the exported graph reads. */
const prunedEncoders = (encoders: EncoderSet, { columns }: ServingGraph): EncoderSet => {
  const tables = new Set(columns.flatMap((column) => ('table' in column ? [column.table] : [])));
  return { ...encoders, columns, tables: encoders.tables.filter((table) => tables.has(table.name)) };
};

interface PlannedGraph {
  readonly serving: ServingGraph;
  readonly fused: FusedGraph;
  readonly encoders: EncoderSet;
  readonly kept: KeptRows;
}

/** The graph of a surface, over the rows of its tables that are kept. */
const planGraph = async (options: ExportSurfaceOptions, stopIfAsked: () => void): Promise<PlannedGraph> => {
  const { model, manifest, preparedDirectory, surface, group, calibration, rows = 'used' } = options;
  const offsets = samplingOffsets(manifest, group.layout)[group.layout.surfaces.indexOf(surface)]!;
  const logitOffsets = Object.fromEntries(group.layout.tasks.map((task, index) => [task.name, offsets[index]!]));
  const optionsFor = (encoders: EncoderSet): ServingGraphOptions => ({ model, layout: group.layout, encoders, surface, logitOffsets, calibration });
  const whole = buildServingGraph(optionsFor(manifest.encoders));
  const kept: KeptRows = rows === 'all' ? new Map() : await usedRows({ manifest, directory: preparedDirectory, surface, columns: whole.columns, stopIfAsked });
  const encoders = keepRows(manifest.encoders, kept);
  const serving = buildServingGraph(optionsFor(encoders));
  return { serving, fused: buildFusedGraph(optionsFor(encoders)), encoders: prunedEncoders(encoders, serving), kept };
};

/** What the written files hold, but for the rest of their manifest. */
const manifestOf = (
  options: ExportSurfaceOptions,
  checkpoint: CheckpointManifest,
  { dense, measured }: DenseChoice,
  written: Pick<ExportManifest, 'calibration' | 'tasks' | 'inputs' | 'source' | 'parity' | 'files'>,
): ExportManifest => ({
  version: 2,
  project: options.project.name,
  model: options.model.name,
  surface: options.surface,
  precision: options.precision,
  dense,
  rows: options.rows ?? 'used',
  calibration: written.calibration,
  tasks: written.tasks,
  inputs: written.inputs,
  source: written.source,
  lineage: {
    data: options.manifest.key,
    config: checkpoint.configHash,
    checkpoint: Object.fromEntries(Object.entries(checkpoint.files).map(([name, file]) => [name, file.sha256])),
    trainedSteps: checkpoint.step,
  },
  metrics: options.metrics,
  parity: written.parity,
  ...(measured === undefined ? {} : { measured: { dense: measured } }),
  files: written.files,
});

/**
 * Writes one surface's self-contained checkpoint: graph, tables, encoders, golden rows and manifest; replays held-out
 * rows through the files, and leaves nothing behind when a prediction differs.
 *
 * @throws ParityError when the exported files and the trained model disagree, or rounding costs too much AUC; IoError when the
 * file system refuses; OnefoldError `interrupted` when the signal aborts
 */
export const exportSurface = async (options: ExportSurfaceOptions): Promise<ExportManifest> => {
  const { project, model, manifest, surface, group, precision } = options;
  const checkpoint = openCheckpoint(options.checkpoint);
  const stopIfAsked = (): void => stopIfAborted(options.signal, `exporting ${surface} was interrupted; its export is as it was before`, options.directory);
  const { serving, fused, encoders, kept } = await planGraph(options, stopIfAsked);
  const tasks = Object.keys(serving.outputs);
  const calibration = options.calibration === undefined ? null : surfaceCalibration(options.calibration, surface, tasks);
  const schema = rawSchema(project, surface, new Set(serving.columns.map((column) => column.feature)));
  const rawFile = await checkFile(options.preparedDirectory, manifest.rawRows[surface]!);
  const check: ParityCheck = { options, checkpoint, schema, encoders, calibration, rawFile, stopIfAsked };
  return writeWholeFolder(options.directory, async (directory) => {
    const inputs: readonly ExportInput[] = writeServingGraph({
      directory,
      checkpoint: options.checkpoint,
      serving,
      fused,
      layout: group.layout,
      precision,
      kept,
      name: `${project.name}/${model.name}/${surface}`,
    });
    await writeFile(join(directory, EXPORT_FILES.encoders), `${JSON.stringify(encoders)}\n`);
    let choice: DenseChoice = { dense: 'fp32', session: await scoreWith(directory, inputs, model.training.threads), rounded: undefined, measured: undefined };
    try {
      const exact = await checkExact(check, choice.session);
      if (options.dense === 'int8') choice = await chooseDense(check, directory, inputs, choice.session, model.training.threads);
      const rounded = choice.rounded ?? (precision === 'fp32' ? undefined : await measureRounding(check, choice.session));
      if (rounded !== undefined) checkBudget(surface, `${precision} tables`, rounded);
      stopIfAsked();
      await writeGoldenRows({ directory, schema, encoders, rawFile, exported: choice.session });
      const files = await exportFiles(directory);
      const written = manifestOf(options, checkpoint, choice, { calibration, tasks, inputs, source: schema, parity: parityReport(exact, rounded), files });
      await writeManifest(directory, written);
      stopIfAsked();
      return written;
    } finally {
      await choice.session.close();
    }
  });
};
