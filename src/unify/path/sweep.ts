/** A few settings tried at a stage, by their loss on the validation split. */
import type { Model, Project } from '../../config/project.js';
import type { RunSummary, Trial } from '../report.js';
import { drawTrials, halvingRungs, withSettings } from '../sweep-settings.js';
import type { PathContext } from './context.js';
import { dropPlanRun, planRunKey, trainPlanRun, type PlanRun, type PlanRunOptions } from './plan-run.js';

export type Settings = Readonly<Record<string, unknown>>;

export interface SweptRun {
  readonly run: PlanRun;
  /** Settings that won; empty for the declared ones. */
  readonly settings: Settings;
  readonly trials: readonly Trial[];
}

/**
 * What training minimizes, on the validation split, where the kept checkpoint is from: the tasks' log losses, weighted. 0 without
 * validation rows: then all trials tie.
 */
export const validationLoss = (project: Pick<Project, 'tasks'>, { curves, keptStep }: Pick<RunSummary, 'curves' | 'keptStep'>): number => {
  const point = curves.find(({ step }) => step === keptStep) ?? curves.at(-1);
  return project.tasks.reduce((sum, { name, weight }) => sum + weight * (point?.scalars[`${name}/overall/logLoss`] ?? 0), 0);
};

/** A trial's loss; its files are dropped once it has lost, so what is kept is the number. */
const lossOf = (context: PathContext, options: PlanRunOptions): Promise<number> =>
  context.memo.json('trial', planRunKey(context, options), async () => validationLoss(context.project, (await trainPlanRun(context, options)).summary));

interface Candidate {
  readonly settings: Settings;
  readonly loss: number;
  readonly budget: number;
}

const byLoss = (a: Candidate, b: Candidate): number => a.loss - b.loss;

/**
 * Trains a model once for each setting, or (`halving`: Jamieson & Talwalkar 2016) all for a part of the steps and the better half
 * again for twice as many, and keeps the one with the lowest validation loss. A tie goes to the setting that was drawn first.
 */
const tryAll = async (context: PathContext, drawn: readonly Settings[], optionsOf: (settings: Settings, budget: number) => PlanRunOptions): Promise<readonly Candidate[]> => {
  const rungs = context.plan.sweep.method === 'halving' ? halvingRungs(drawn.length) : [{ keep: drawn.length, budget: 1 }];
  const lost: Candidate[] = [];
  let left: readonly Settings[] = drawn;
  for (const { keep, budget } of rungs) {
    const tried: Candidate[] = [];
    for (const settings of left.slice(0, keep)) tried.push({ settings, budget, loss: await lossOf(context, optionsOf(settings, budget)) });
    const ranked = tried.toSorted(byLoss);
    if (budget === 1) return [...lost, ...ranked];
    const goOn = Math.ceil(ranked.length / 2);
    lost.push(...ranked.slice(goOn));
    left = ranked.slice(0, goOn).map(({ settings }) => settings);
  }
  return lost;
};

/**
 * Trains the runs of a stage's sweep, and gives the best. Separate models and unified ones get as many trials each, so that
 * neither is tuned more than the other.
 *
 * @param stage seeds the draw: models swept under one name try the same settings
 */
export const sweep = async (context: PathContext, stage: string, name: string, model: Model, surfaces: readonly string[]): Promise<SweptRun> => {
  const drawn = drawTrials(context.plan.sweep, stage);
  const optionsOf = (settings: Settings, budget: number): PlanRunOptions => ({ name, model: withSettings(model, settings), surfaces, budget });
  if (drawn.length === 1) return { run: await trainPlanRun(context, optionsOf({}, 1)), settings: {}, trials: [] };
  const tried = await tryAll(context, drawn, optionsOf);
  const best = tried.filter(({ budget }) => budget === 1).reduce((a, b) => (b.loss < a.loss ? b : a));
  const run = await trainPlanRun(context, optionsOf(best.settings, 1));
  for (const { settings, budget } of tried) {
    const key = planRunKey(context, optionsOf(settings, budget));
    if (key !== run.key) dropPlanRun(context, key);
  }
  const inOrder = tried.toSorted((a, b) => drawn.indexOf(a.settings) - drawn.indexOf(b.settings) || a.budget - b.budget);
  return { run, settings: best.settings, trials: inOrder.map((trial) => ({ ...trial, chosen: trial === best })) };
};
