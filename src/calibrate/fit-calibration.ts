/** Fits calibration layers to held-out predictions: anew, or from the layers in use. */
import { UsageError } from '../config/errors.js';
import type { CalibrationMethod } from '../config/unify-plan.js';
import type { Predictions, TaskPredictions } from '../evaluate/predictions.js';
import { lineAfter } from './apply-layer.js';
import { IDENTITY_LAYER, layerOf, type Calibration, type CalibrationLayer, type MethodScore, type TaskCalibration } from './calibration.js';
import { chooseSimplest, crossValidate, foldRows, lossesByMethod, type Contender, type Judged } from './choose-candidate.js';
import { correctedMethod, correctLayers, LINES } from './correct-layers.js';
import { candidatesOf, fitLevels } from './fit-levels.js';
import { nameLayers } from './name-layers.js';
import { asOneGroup, taskRows, type TaskRows } from './task-rows.js';
import { userFolds } from './user-folds.js';

export interface FitCalibrationOptions {
  /** Methods to choose from. */
  readonly methods: readonly CalibrationMethod[];
  /** Parts of the users that the choice is cross-validated over; at least 2. */
  readonly folds: number;
  /** The layers in use, for a fit that starts from them. Default: none. */
  readonly present?: Calibration;
  /** Deals users to folds. Default 1. */
  readonly seed?: number;
}

/** Fewer positives, or negatives, than this tell nothing. */
const FEWEST_OF_A_CLASS = 10;

const isEnough = ({ labels, users }: TaskRows, folds: number): boolean => {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  return Math.min(positives, labels.length - positives) >= FEWEST_OF_A_CLASS && new Set(users).size >= folds;
};

const countRows = ({ groups, groupOf, labels }: TaskRows): TaskCalibration['rows'] => {
  const counts = groups.map(() => ({ rows: 0, positives: 0 }));
  groupOf.forEach((place, row) => {
    counts[place]!.rows += 1;
    counts[place]!.positives += labels[row]!;
  });
  return Object.fromEntries(groups.flatMap(({ level, name }, place) => (level === 2 ? [[name, counts[place]!]] : [])));
};

interface Contest {
  readonly winner: Judged;
  /** The winner's, fitted on all rows; by place of the group. */
  readonly layers: readonly CalibrationLayer[];
  /** By method. */
  readonly losses: ReadonlyMap<CalibrationMethod, number>;
}

/**
 * Fits the methods, and the best one on all rows.
 *
 * @param corrected the rows with logits as the layers in use give them. Straight lines are then corrections of those layers, and no
 *   correction is always a choice; other methods begin anew
 */
const contest = (rows: TaskRows, corrected: TaskRows | undefined, methods: readonly CalibrationMethod[], folds: readonly Uint8Array[]): Contest => {
  const contend = (of: TaskRows, own: readonly CalibrationMethod[], isCorrection: boolean): readonly Contender[] => {
    const folded = foldRows(of, folds);
    return own.flatMap((method) => candidatesOf(method).map((candidate) => ({ candidate, folded, isCorrection })));
  };
  const contenders =
    corrected === undefined
      ? contend(rows, methods, false)
      : [
          ...contend(corrected, LINES.filter((method) => method === 'identity' || methods.includes(method)), true),
          ...contend(rows, methods.filter((method) => !LINES.includes(method)), false),
        ];
  const judged = contenders.map(crossValidate);
  const winner = chooseSimplest(judged);
  const { candidate, folded, isCorrection } = winner;
  return { winner, layers: fitLevels(folded.rows, folded.tally, candidate, { isCorrection }).layers, losses: lossesByMethod(judged) };
};

const methodOf = ({ isCorrection, candidate: { method } }: Judged, present: CalibrationMethod | undefined): CalibrationMethod =>
  isCorrection && present !== undefined ? correctedMethod(method, present) : method;

const fitTask = (predictions: Predictions, task: TaskPredictions, { methods, folds: count, seed = 1 }: FitCalibrationOptions, present: TaskCalibration | undefined): TaskCalibration => {
  const rows = taskRows(predictions, task);
  if (!isEnough(rows, count)) {
    return present ?? { task: task.task, method: 'identity', viewTypes: {}, surfaces: {}, global: IDENTITY_LAYER, globalMethod: 'identity', scores: [], rows: countRows(rows) };
  }
  const folds = userFolds(rows.users, count, seed);
  const own = contest(rows, present && taskRows(predictions, task, (surface, viewType) => layerOf(present, surface, viewType)), methods, folds);
  const one = contest(asOneGroup(rows), present && asOneGroup(taskRows(predictions, task, () => present.global)), methods, folds);
  const named = nameLayers(rows, own.layers);
  // View types and surfaces without rows keep the layers that they have.
  const merged = { viewTypes: { ...present?.viewTypes, ...named.viewTypes }, surfaces: { ...present?.surfaces, ...named.surfaces } };
  const global = one.layers[0]!;
  return {
    task: task.task,
    method: methodOf(own.winner, present?.method),
    ...(own.winner.isCorrection && present !== undefined ? correctLayers(present, rows.groups, own.layers) : merged),
    global: one.winner.isCorrection && present !== undefined ? lineAfter(global, present.global) : global,
    globalMethod: methodOf(one.winner, present?.globalMethod),
    scores: [...own.losses].map(([method, perViewType]): MethodScore => ({ method, perViewType, global: one.losses.get(method)! })),
    rows: countRows(rows),
  };
};

/**
 * Fits a layer per view type and one for all rows, for each task, by the methods that do best on users held out. A task with too few
 * rows of either class gets layers that change nothing.
 *
 * With `present` it starts from the layers in use and stays near them where the rows tell little: straight lines are fitted as
 * corrections of them, drawn to none. Tasks without rows keep theirs.
 *
 * @throws UsageError for fewer than 2 folds or no method
 * @throws DataError for a label outside {0, 1, NaN}, or a labelled row whose probability is not in [0, 1]
 */
export const fitCalibration = (predictions: Predictions, options: FitCalibrationOptions): Calibration => {
  const { methods, folds, present } = options;
  if (!Number.isInteger(folds) || folds < 2) {
    throw new UsageError(`calibration got ${folds} folds`, { where: 'unify.calibration.folds', expected: 'a whole number of at least 2', fix: 'use 5' });
  }
  if (methods.length === 0) {
    throw new UsageError('calibration got no method to choose from', { where: 'unify.calibration.methods', expected: 'at least one method', fix: "use ['identity', 'affine']" });
  }
  const presentOf = (task: string): TaskCalibration | undefined => present?.tasks.find((one) => one.task === task);
  const fitted = predictions.tasks.map((task) => fitTask(predictions, task, options, presentOf(task.task)));
  const others = present?.tasks.filter(({ task }) => !fitted.some((one) => one.task === task)) ?? [];
  return { version: 1, tasks: [...fitted, ...others] };
};
