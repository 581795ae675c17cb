import type { Model, Project } from '../config/project.js';
import { openDataset } from '../data/dataset.js';
import type { PreparedManifest, Split } from '../data/prepared.js';
import { ArtifactError } from '../config/errors.js';
import { concatPredictions } from '../evaluate/concat-predictions.js';
import type { Predictions } from '../evaluate/predictions.js';
import { scoreShards, type ScoredGroup, type ScoreOptions } from '../evaluate/score.js';
import { defaultBatchTokens } from '../model/batch-tokens.js';
import { buildModelGraph } from '../model/build-model.js';
import { checkpointExists, openCheckpoint } from '../train/checkpoint.js';
import { Engine } from '../train/engine.js';
import { checkpointOf, configHash, groupRuns, type GroupRun } from './model-run.js';

/** A trained model's runs, each loaded into an engine that only scores. */
export interface OpenModel {
  readonly groups: readonly (ScoredGroup & { readonly run: GroupRun; readonly scorer: Engine })[];
  close(): Promise<void>;
}

/** @throws ArtifactError when the run has no checkpoint, or one of another config or dataset */
export const requireCheckpoint = (project: Project, model: Model, run: GroupRun, manifest: PreparedManifest): void => {
  const checkpoint = checkpointOf(run);
  const train = `onefold train ${model.name} --config ${project.file}`;
  if (!checkpointExists(checkpoint)) {
    throw new ArtifactError(`model "${model.name}" has not been trained for ${run.surfaces.join(', ')}`, { where: checkpoint, expected: 'a checkpoint', fix: train });
  }
  if (openCheckpoint(checkpoint).configHash !== configHash(project, model, run, manifest)) {
    throw new ArtifactError(`the checkpoint of model "${model.name}" was trained with another config or other data`, {
      where: checkpoint,
      expected: 'a checkpoint of this config and this prepared dataset',
      fix: train,
    });
  }
};

/** A run and the model that it is one of. */
export interface ModelRun {
  readonly model: Model;
  readonly run: GroupRun;
}

/**
 * Loads the checkpoints of some runs, which may be of several models.
 *
 * @throws ArtifactError when a run has no checkpoint, or one of another config or dataset
 */
export const openRuns = async (project: Project, manifest: PreparedManifest, runs: readonly ModelRun[]): Promise<OpenModel> => {
  const groups: (ScoredGroup & { readonly run: GroupRun; readonly scorer: Engine })[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(groups.map(({ scorer }) => scorer.close()));
  };
  try {
    for (const { model, run } of runs) {
      requireCheckpoint(project, model, run, manifest);
      const graph = buildModelGraph(project, manifest.encoders, model, run.surfaces);
      const scorer = await Engine.create({ graph, taskNames: manifest.tasks.map((task) => task.name), threads: model.training.threads });
      groups.push({ run, layout: graph.layout, scorer, batchTokens: model.training.batchTokens ?? defaultBatchTokens(graph, model.training.batchSize) });
      await scorer.load(checkpointOf(run));
    }
    return { groups, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** Loads the checkpoints of a model. */
export const openModel = (project: Project, model: Model, manifest: PreparedManifest): Promise<OpenModel> =>
  openRuns(project, manifest, groupRuns(project, model).map((run) => ({ model, run })));

export interface ScoreRunsOptions extends Pick<ScoreOptions, 'trainingOnly' | 'onProgress'> {
  readonly project: Project;
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly directory: string;
  readonly split: Split;
}

export interface ScoreModelOptions extends ScoreRunsOptions {
  readonly model: Model;
}

/** Streams predictions of a split, a chunk of whole requests at a time: every surface by the run that has it. */
export async function* streamRuns(runs: readonly ModelRun[], options: ScoreRunsOptions): AsyncGenerator<Predictions, void, undefined> {
  const { project, manifest, directory, split, trainingOnly, onProgress } = options;
  const opened = await openRuns(project, manifest, runs);
  try {
    const tasks = manifest.tasks.map((task) => task.name);
    const batchCandidates = Math.min(...runs.map(({ model }) => model.training.batchSize));
    const dataset = await openDataset(directory, manifest, split, { tasks, batchCandidates });
    try {
      yield* scoreShards(dataset, {
        manifest,
        groups: opened.groups,
        batchRequests: Math.min(...runs.map(({ model }) => model.training.batchRequests)),
        ...(trainingOnly === undefined ? {} : { trainingOnly }),
        ...(onProgress === undefined ? {} : { onProgress }),
      });
    } finally {
      dataset.close();
    }
  } finally {
    await opened.close();
  }
}

/** Streams a trained model's predictions of a split, a chunk of whole requests at a time. */
export const streamPredictions = ({ model, ...options }: ScoreModelOptions): AsyncGenerator<Predictions, void, undefined> =>
  streamRuns(groupRuns(options.project, model).map((run) => ({ model, run })), options);

/** A trained model's predictions of a split, in memory. */
export const scoreModel = async (options: ScoreModelOptions): Promise<Predictions> => {
  const chunks: Predictions[] = [];
  for await (const chunk of streamPredictions(options)) chunks.push(chunk);
  return concatPredictions(chunks);
};
