import type { Model, Project, Training } from '../config/project.js';
import type { Batch } from '../data/batch.js';
import { openDataset, type Dataset } from '../data/dataset.js';
import { expandBatch } from '../data/expand-batch.js';
import type { PreparedManifest } from '../data/prepared.js';
import { scoreShards } from '../evaluate/score.js';
import { createAccumulator } from '../evaluate/streaming.js';
import { defaultBatchTokens } from '../model/batch-tokens.js';
import { buildModelGraph } from '../model/build-model.js';
import type { ModelLayout } from '../model/layout.js';
import { towerParameters, type Priors } from '../model/surface-heads.js';
import { finishedRun } from '../train/finished-run.js';
import { trainModel } from '../train/loop.js';
import type { TrainOptions, TrainResult } from '../train/train-options.js';
import type { TrainProgress } from '../train/progress.js';
import { checkpointOf, configHash, groupRuns, type GroupRun } from './model-run.js';
import { poolCandidates } from './pool-size.js';
import { requireCheckpoint } from './score-model.js';
import { startOf } from './start-of.js';
import { forgetEvaluations, forgetSurface } from './stored-evaluations.js';
import { runWithTower, towerRun } from './tower-run.js';

export interface TrainRunOptions {
  readonly project: Project;
  readonly model: Model;
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly directory: string;
  /** Go on from interrupted runs, and keep those that have ended already with the same config and data. */
  readonly resume?: boolean;
  /** Start from an older model: the folder of its runs, of one run, or of a checkpoint. Runs that are resumed go on instead. */
  readonly from?: string;
  /** Part of the planned steps that a run takes, in (0, 1]. Default 1. */
  readonly budget?: number;
  readonly signal?: AbortSignal;
  /** Gets a line for the user, such as that the slow kernel runs. */
  readonly onNotice?: (line: string) => void;
  readonly onProgress?: (run: GroupRun, progress: TrainProgress) => void;
}

/** What training one run gave, and how long it took. */
export interface TrainedRun {
  readonly run: GroupRun;
  readonly result: TrainResult;
  /** It had ended before, and was not trained again. */
  readonly kept: boolean;
  readonly seconds: number;
}

/** The rows that a run is trained on and validated with: its surfaces', or those of the one whose tower is trained. */
interface TrainedRows {
  readonly surfaces: readonly string[];
  readonly surfaceIndices: readonly number[];
  /** Tasks that these surfaces have. */
  readonly tasks: readonly string[];
}

const rowsOf = ({ surfaces, surfaceIndices, tasks }: ModelLayout, { tower }: GroupRun): TrainedRows => {
  if (tower === undefined) return { surfaces, surfaceIndices, tasks: tasks.map(({ name }) => name) };
  const { surface } = tower;
  return { surfaces: [surface], surfaceIndices: [surfaceIndices[surfaces.indexOf(surface)]!], tasks: tasks.flatMap((task) => (task.surfaces.includes(surface) ? [task.name] : [])) };
};

/** Early stopping on a task that the surfaces have: the declared one, else their first. */
const trainingFor = (training: Training, { tasks }: TrainedRows): Training => {
  const { earlyStopping } = training;
  if (earlyStopping === undefined || tasks.includes(earlyStopping.task)) return training;
  return { ...training, earlyStopping: { ...earlyStopping, task: tasks[0]! } };
};

/** Held-out metrics of the validation split; null when it has no requests of these surfaces. */
const createValidation = async (
  options: TrainRunOptions,
  training: Training,
  layout: ModelLayout,
  rows: TrainedRows,
  batchTokens: number,
): Promise<{ readonly evaluate: NonNullable<TrainOptions['evaluate']>; close(): void } | null> => {
  const { manifest, directory } = options;
  const tasks = manifest.tasks.map((task) => task.name);
  const dataset = await openDataset(directory, manifest, 'validation', { tasks, surfaces: rows.surfaceIndices, batchCandidates: training.batchSize });
  if (dataset.candidateCount === 0) {
    dataset.close();
    return null;
  }
  const watched = training.earlyStopping ?? { metric: 'logLoss', task: rows.tasks[0]! };
  return {
    evaluate: async (engine) => {
      // GAUC has no streaming form: where it is watched, all rows are kept.
      const accumulator = createAccumulator(watched.metric === 'gauc' ? { exactRows: Infinity } : {});
      for await (const chunk of scoreShards(dataset, { manifest, batchRequests: training.batchRequests, groups: [{ layout, surfaces: rows.surfaces, scorer: engine, batchTokens }] })) accumulator.add(chunk);
      const evaluation = accumulator.evaluate();
      const scalars: Record<string, number> = {};
      for (const { task, overall, surfaces } of evaluation.tasks) {
        for (const slice of [overall, ...surfaces]) {
          for (const metric of ['logLoss', 'auc', 'gauc', 'ne'] as const) {
            const value = slice.metrics[metric];
            if (value !== null) scalars[`${task}/${slice.name}/${metric}`] = value;
          }
        }
      }
      return { monitored: scalars[`${watched.task}/overall/${watched.metric}`] ?? NaN, scalars };
    },
    close: () => dataset.close(),
  };
};

/** Positives per labelled candidate of the training range. */
const baseRates = (manifest: PreparedManifest): Priors =>
  Object.fromEntries(
    Object.entries(manifest.splits.train.counts).map(([surface, { positives, labelled }]) => [
      surface,
      Object.fromEntries(Object.entries(labelled).flatMap(([task, rows]) => (rows === 0 ? [] : [[task, positives[task]! / rows]]))),
    ]),
  );

async function* expandBatches(batches: AsyncIterable<Batch>): AsyncGenerator<Batch, void, undefined> {
  for await (const batch of batches) yield expandBatch(batch);
}

/** Batches of an epoch; expanded ones hold the same candidates, so that the losses are those of broadcasting. */
const batchesOf = (dataset: Dataset, training: Training, epoch: number, from: number): AsyncIterable<Batch> =>
  training.expand ? expandBatches(dataset.batches({ epoch, from })) : dataset.batches({ epoch, from });

/**
 * Trains one run of a model.
 *
 * @param from checkpoint to start from; none: from random weights
 * @throws TrainingError when a loss is not finite; OnefoldError `interrupted` when the signal aborts
 */
export const trainRun = async (options: TrainRunOptions, run: GroupRun, from?: string): Promise<TrainedRun> => {
  const { project, model, manifest, directory, onProgress } = options;
  const graph = buildModelGraph(project, manifest.encoders, model, run.surfaces, baseRates(manifest));
  const rows = rowsOf(graph.layout, run);
  const training = trainingFor(model.training, rows);
  const batchTokens = training.batchTokens ?? defaultBatchTokens(graph, training.batchSize);
  const taskNames = manifest.tasks.map((task) => task.name);
  const dataset = await openDataset(directory, manifest, 'train', {
    tasks: taskNames,
    surfaces: rows.surfaceIndices,
    batchCandidates: training.batchSize,
    batchRequests: training.batchRequests,
    batchTokens,
    sequences: graph.layout.sequences.map(({ column }) => column),
    shuffle: true,
    seed: training.seed,
    poolCandidates: poolCandidates(manifest),
    threads: 1,
  });
  let validation: Awaited<ReturnType<typeof createValidation>> = null;
  const started = performance.now();
  try {
    validation = await createValidation(options, training, graph.layout, rows, batchTokens);
    const evaluate = validation?.evaluate;
    const result = await trainModel({
      graph,
      training,
      model: `${model.name}/${run.name}`,
      configHash: configHash(project, model, run, manifest),
      taskNames,
      candidatesPerEpoch: dataset.candidateCount,
      batchesPerEpoch: dataset.batchCount(),
      trainBatches: (epoch, from) => batchesOf(dataset, training, epoch, from),
      runDirectory: run.directory,
      vocabulary: manifest.encoders,
      ...(from === undefined ? {} : { from }),
      ...(run.tower === undefined ? {} : { trainable: towerParameters(graph.parameters, run.tower.surface) }),
      ...(options.onNotice === undefined ? {} : { onNotice: options.onNotice }),
      ...(evaluate === undefined ? {} : { evaluate }),
      ...(options.resume === undefined ? {} : { resume: options.resume }),
      ...(options.budget === undefined ? {} : { budget: options.budget }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(onProgress === undefined ? {} : { onProgress: (progress: TrainProgress) => onProgress(run, progress) }),
    });
    return { run, result, kept: false, seconds: (performance.now() - started) / 1000 };
  } finally {
    validation?.close();
    dataset.close();
  }
};

/**
 * Trains every run of a model, one after the other: one for a unified model, one per surface for separate ones.
 *
 * @throws TrainingError when a loss is not finite; OnefoldError `interrupted` when the signal aborts; UsageError when there is no
 * checkpoint to start from
 */
export const trainRuns = async (options: TrainRunOptions): Promise<readonly TrainedRun[]> => {
  const { project, model, manifest, resume } = options;
  const groups = groupRuns(project, model);
  const starts = groups.map((run) => (options.from === undefined ? undefined : startOf(options.from, run, groups.length)));
  const runs = groups.map((run) => ({ run, result: resume === true ? finishedRun(run.directory, configHash(project, model, run, manifest)) : undefined }));
  // Evaluations of the model that is replaced would be taken for the new one's.
  if (runs.some(({ result }) => result === undefined)) await forgetEvaluations(project, model);
  const trained: TrainedRun[] = [];
  for (const [index, { run, result }] of runs.entries()) trained.push(result === undefined ? await trainRun(options, run, starts[index]) : { run, result, kept: true, seconds: 0 });
  return trained;
};

/**
 * Trains a surface's tower and heads further on that surface's rows, from the checkpoint that the model has now. Embeddings and
 * every other dense parameter stay as they are, bit for bit, so no other surface's prediction moves.
 *
 * @throws UsageError when the model has no towers on a shared trunk; ArtifactError when it has not been trained with this config
 * and dataset; TrainingError when a loss is not finite; OnefoldError `interrupted` when the signal aborts
 */
export const trainTower = async (options: Omit<TrainRunOptions, 'from'>, surface: string): Promise<TrainedRun> => {
  const { project, model, manifest, resume } = options;
  const base = runWithTower(project, model, surface);
  requireCheckpoint(project, model, base, manifest);
  const run = towerRun(project, model, base, surface);
  const result = resume === true ? finishedRun(run.directory, configHash(project, model, run, manifest)) : undefined;
  if (result !== undefined) return { run, result, kept: true, seconds: 0 };
  await forgetSurface(project, model, surface);
  return trainRun(options, run, checkpointOf(base));
};
