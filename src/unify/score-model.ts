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
import { currentTowers } from './tower-run.js';

/** One run, loaded into an engine that only scores. */
export interface OpenGroup extends ScoredGroup {
  readonly run: GroupRun;
  readonly scorer: Engine;
  readonly surfaces: readonly string[];
}

/** A trained model's runs, each loaded into an engine that only scores. */
export interface OpenModel {
  readonly groups: readonly OpenGroup[];
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
  /** Surfaces that it answers for. Default: all that it has. */
  readonly surfaces?: readonly string[];
}

/** The run that answers for a surface. */
export const groupOf = ({ groups }: OpenModel, surface: string): OpenGroup => groups.find(({ surfaces }) => surfaces.includes(surface))!;

/**
 * The runs that a model is scored and exported with: its own, and for surfaces whose tower was trained further since, that of
 * the tower.
 *
 * @param onNotice gets a line for each tower that is left out
 */
const modelRuns = (project: Project, model: Model, manifest: PreparedManifest, onNotice?: (line: string) => void): readonly ModelRun[] => {
  const towers = currentTowers(project, model, manifest, onNotice);
  const ofTowers = towers.map((run) => ({ model, run, surfaces: [run.tower!.surface] }));
  const own = groupRuns(project, model).map((run) => ({ model, run, surfaces: run.surfaces.filter((surface) => !towers.some(({ tower }) => tower!.surface === surface)) }));
  return [...own, ...ofTowers].filter(({ surfaces }) => surfaces.length > 0);
};

/**
 * Loads the checkpoints of some runs, which may be of several models.
 *
 * @throws ArtifactError when a run has no checkpoint, or one of another config or dataset
 */
export const openRuns = async (project: Project, manifest: PreparedManifest, runs: readonly ModelRun[]): Promise<OpenModel> => {
  const groups: OpenGroup[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(groups.map(({ scorer }) => scorer.close()));
  };
  try {
    for (const { model, run, surfaces = run.surfaces } of runs) {
      requireCheckpoint(project, model, run, manifest);
      const graph = buildModelGraph(project, manifest.encoders, model, run.surfaces);
      const scorer = await Engine.create({ graph, taskNames: manifest.tasks.map((task) => task.name), threads: model.training.threads });
      groups.push({ run, surfaces, layout: graph.layout, scorer, batchTokens: model.training.batchTokens ?? defaultBatchTokens(graph, model.training.batchSize) });
      await scorer.load(checkpointOf(run));
    }
    return { groups, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/**
 * Loads the checkpoints of a model, those of towers that were trained further among them.
 *
 * @param onNotice gets a line for the user, such as that a tower is left out
 */
export const openModel = async (project: Project, model: Model, manifest: PreparedManifest, onNotice?: (line: string) => void): Promise<OpenModel> =>
  openRuns(project, manifest, modelRuns(project, model, manifest, onNotice));

export interface ScoreRunsOptions extends Pick<ScoreOptions, 'trainingOnly' | 'onProgress'> {
  readonly project: Project;
  readonly manifest: PreparedManifest;
  /** Folder of the prepared dataset. */
  readonly directory: string;
  readonly split: Split;
}

export interface ScoreModelOptions extends ScoreRunsOptions {
  readonly model: Model;
  /** Gets a line for the user, such as that a tower is left out. */
  readonly onNotice?: (line: string) => void;
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
export const streamPredictions = ({ model, onNotice, ...options }: ScoreModelOptions): AsyncGenerator<Predictions, void, undefined> =>
  streamRuns(modelRuns(options.project, model, options.manifest, onNotice), options);

/** A trained model's predictions of a split, in memory. */
export const scoreModel = async (options: ScoreModelOptions): Promise<Predictions> => {
  const chunks: Predictions[] = [];
  for await (const chunk of streamPredictions(options)) chunks.push(chunk);
  return concatPredictions(chunks);
};
