/** Which method calibrates best: cross-validated log loss, where what is only noise goes to the simpler one. */
import type { CalibrationMethod } from '../config/unify-plan.js';
import { applyLayer, softplus } from './apply-layer.js';
import { tallyRows, type Tally } from './binned-rows.js';
import type { CalibrationLayer } from './calibration.js';
import { fitLevels, type Candidate } from './fit-levels.js';
import { MOST_KNOTS } from './isotonic.js';
import { totalOf } from './sum.js';
import type { TaskRows } from './task-rows.js';

/** Parameters of one layer. */
const PARAMETERS: Readonly<Record<CalibrationMethod, number>> = { identity: 0, shift: 1, temperature: 1, affine: 2, beta: 3, isotonic: MOST_KNOTS };

/** Rows with what all candidates share of their cross-validation. */
export interface FoldedRows {
  readonly rows: TaskRows;
  readonly tally: Tally;
  readonly folds: readonly { readonly heldOut: Uint8Array; readonly training: Tally }[];
}

/** @param folds for each fold, 1 for its users */
export const foldRows = (rows: TaskRows, folds: readonly Uint8Array[]): FoldedRows => ({
  rows,
  tally: tallyRows(rows),
  folds: folds.map((heldOut) => ({ heldOut, training: tallyRows(rows, heldOut.map((held) => 1 - held)) })),
});

/** Adds the log loss of some users' rows to each of them. Layers are applied to the bins' mean logits. */
const addLosses = ({ rows, tally }: FoldedRows, heldOut: Uint8Array, layers: readonly CalibrationLayer[], losses: Float64Array): void => {
  const { users, labels, groupOf, binOf, bins, groups } = rows;
  const calibrated = new Float64Array(groups.length * bins);
  const negative = new Float64Array(groups.length * bins);
  tally.weights.forEach((weight, cell) => {
    if (weight === 0) return;
    const logit = applyLayer(layers[Math.floor(cell / bins)]!, tally.logits[cell]! / weight);
    calibrated[cell] = logit;
    negative[cell] = softplus(logit);
  });
  for (let row = 0; row < users.length; row += 1) {
    const user = users[row]!;
    if (heldOut[user] === 0) continue;
    const cell = groupOf[row]! * bins + binOf[row]!;
    losses[user]! += negative[cell]! - labels[row]! * calibrated[cell]!;
  }
};

/** One candidate, with the rows that it is fitted on. */
export interface Contender {
  readonly candidate: Candidate;
  readonly folded: FoldedRows;
  readonly isCorrection: boolean;
}

export interface Judged extends Contender {
  /** Mean over the rows when held out. */
  readonly loss: number;
  /** Sum over each user's rows when held out. */
  readonly losses: Float64Array;
}

/** Fits a candidate on all folds but one and takes its log loss on that one, for each of them. */
export const crossValidate = (contender: Contender): Judged => {
  const { candidate, folded, isCorrection } = contender;
  const losses = new Float64Array(folded.folds[0]!.heldOut.length);
  for (const { heldOut, training } of folded.folds) addLosses(folded, heldOut, fitLevels(folded.rows, training, candidate, { isCorrection }).layers, losses);
  return { ...contender, losses, loss: totalOf(losses) / folded.rows.users.length };
};

/** Standard error of a difference of sums over users; users without rows have no part in it. */
const standardErrorOf = (differences: Float64Array, users: number): number => {
  const mean = totalOf(differences) / users;
  const squares = differences.reduce((sum, difference) => sum + difference ** 2, 0) - users * mean ** 2;
  return Math.sqrt((Math.max(0, squares) * users) / Math.max(1, users - 1));
};

/**
 * The simplest of those that are not worse than the best by more than one standard error of the difference, clustered by user
 * (Breiman et al. 1984); of equally simple ones the best.
 */
export const chooseSimplest = (judged: readonly Judged[]): Judged => {
  const best = judged.reduce((a, b) => (b.loss < a.loss ? b : a));
  const users = new Set(best.folded.rows.users).size;
  const near = judged.filter(({ losses }) => {
    const differences = losses.map((loss, user) => loss - best.losses[user]!);
    return totalOf(differences) <= standardErrorOf(differences, users);
  });
  const sizeOf = ({ candidate }: Judged): number => PARAMETERS[candidate.method];
  return near.reduce((a, b) => (sizeOf(b) < sizeOf(a) || (sizeOf(b) === sizeOf(a) && b.loss < a.loss) ? b : a));
};

/** The lowest loss of each method. */
export const lossesByMethod = (judged: readonly Judged[]): ReadonlyMap<CalibrationMethod, number> => {
  const losses = new Map<CalibrationMethod, number>();
  for (const { candidate, loss } of judged) losses.set(candidate.method, Math.min(loss, losses.get(candidate.method) ?? Infinity));
  return losses;
};
