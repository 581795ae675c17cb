import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Model } from '../../config/project.js';
import { explainIoFailure } from '../../data/io-failure.js';
import { finishedRun } from '../../train/finished-run.js';
import type { TrainResult } from '../../train/train-options.js';
import { runReport, type RunReport } from '../cost-report.js';
import { configHash, type GroupRun } from '../model-run.js';
import type { RunSummary } from '../report.js';
import type { ModelRun } from '../score-model.js';
import { trainRun } from '../train-model.js';
import type { PathContext } from './context.js';
import { contentKey } from './memo.js';

/** A trained model of some surfaces, found by what it was made from. */
export interface PlanRun extends ModelRun {
  readonly key: string;
  readonly summary: RunSummary;
  /** Costs on the training traffic. */
  readonly costs: RunReport;
}

export interface PlanRunOptions {
  readonly name: string;
  readonly model: Model;
  readonly surfaces: readonly string[];
  /** Part of the planned steps. Default 1. */
  readonly budget?: number;
}

/** Candidates per second at the end of a run, from its metrics: they survive a kill, a clock of this process would not. */
const lastRate = (runDirectory: string): number => {
  const path = join(runDirectory, 'metrics.jsonl');
  try {
    const rates = readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => (line.includes('"rows_per_second"') ? [(JSON.parse(line) as { rows_per_second: number }).rows_per_second] : []));
    return rates.at(-1) ?? NaN;
  } catch (cause) {
    throw explainIoFailure(cause, path);
  }
};

const summarize = (name: string, surfaces: readonly string[], result: TrainResult, costs: RunReport, directory: string): RunSummary => ({
  name,
  surfaces,
  parameters: costs.parameters,
  tableBytes: costs.tables.reduce((sum, { bytes }) => sum + bytes, 0),
  steps: result.steps,
  candidates: result.candidates,
  trainingFlops: (costs.perThousandCandidates.train / 1000) * result.candidates,
  keptStep: result.best?.step ?? null,
  curves: result.curves,
  measured: { trainingSeconds: result.candidates / lastRate(directory) },
});

/** Identity of a run: its model and training, surfaces, data, budget and the code that trains. */
export const planRunKey = (context: PathContext, { model, surfaces, budget = 1 }: PlanRunOptions): string =>
  contentKey([configHash(context.project, model, { name: '', surfaces, directory: '' }, context.manifest), budget, context.trainingCode]);

/** Folder of a run, by its key. */
const runDirectoryOf = (context: PathContext, key: string): string => join(context.workspace, 'runs', key.slice(0, 24));

const groupOf = (context: PathContext, key: string, surfaces: readonly string[]): GroupRun => ({ name: surfaces.join('+'), surfaces, directory: runDirectoryOf(context, key) });

/**
 * Trains a model of some surfaces, goes on with it where a killed process left off, or finds it trained already.
 *
 * @throws TrainingError when a loss is not finite; OnefoldError `interrupted` when the signal aborts
 */
export const trainPlanRun = async (context: PathContext, options: PlanRunOptions): Promise<PlanRun> => {
  const { project, manifest, prepared, memo, signal } = context;
  const { name, model, surfaces, budget = 1 } = options;
  const key = planRunKey(context, options);
  const run = groupOf(context, key, surfaces);
  const costs = runReport(project, model, manifest, context.traffic.train, run);
  const found = finishedRun(run.directory, configHash(project, model, run, manifest));
  const result =
    found ??
    (
      await trainRun(
        {
          project,
          model,
          manifest,
          directory: prepared,
          resume: true,
          onProgress: (_, progress) => {
            context.onTraining(name, progress);
          },
          onNotice: context.onLine,
          ...(budget === 1 ? {} : { budget }),
          ...(signal === undefined ? {} : { signal }),
        },
        run,
      )
    ).result;
  const summary = await memo.json('run', key, () => summarize(name, surfaces, result, costs, run.directory));
  return { model, run, key, summary: { ...summary, name }, costs };
};

/** Removes a run's files: of a trial that lost, whose loss is all that is needed of it. */
export const dropPlanRun = (context: PathContext, key: string): void => {
  const directory = runDirectoryOf(context, key);
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (cause) {
    throw explainIoFailure(cause, directory);
  }
};
