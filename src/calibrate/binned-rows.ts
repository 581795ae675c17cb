/**
 * Rows gathered by logit. Every bin keeps the mean of its rows' logits, so that fitting on bins is fitting on rows, whatever there
 * are of them.
 */
import type { TaskRows } from './task-rows.js';

/** `positives[i]` of `weights[i]` rows at `logits[i]`, ascending. */
export interface BinnedRows {
  readonly logits: Float64Array;
  readonly weights: Float64Array;
  readonly positives: Float64Array;
}

/** Sums by smallest group and bin, `[groups][bins]`. */
export interface Tally {
  readonly weights: Float64Array;
  readonly positives: Float64Array;
  /** Sums of the rows' logits. */
  readonly logits: Float64Array;
}

/**
 * Sums over a task's rows.
 *
 * @param counts how often each user's rows count; default: once
 * @param targets what counts as positive, in [0, 1] for each row; default: the labels
 */
export const tallyRows = ({ logits, labels, users, groups, groupOf, binOf, bins }: TaskRows, counts?: Uint8Array, targets: Float64Array = labels): Tally => {
  const size = groups.length * bins;
  const tally: Tally = { weights: new Float64Array(size), positives: new Float64Array(size), logits: new Float64Array(size) };
  for (let row = 0; row < logits.length; row += 1) {
    const count = counts === undefined ? 1 : counts[users[row]!]!;
    if (count === 0) continue;
    const cell = groupOf[row]! * bins + binOf[row]!;
    tally.weights[cell]! += count;
    tally.positives[cell]! += count * targets[row]!;
    tally.logits[cell]! += count * logits[row]!;
  }
  return tally;
};

/** Whether a group is another or part of it. */
const isWithin = ({ groups }: TaskRows, place: number, whole: number): boolean => {
  for (let at = place; ; at = groups[at]!.parent) {
    if (at === whole) return true;
    if (at === 0) return false;
  }
};

/** A group's rows, those of its parts included. */
export const binsOf = (rows: TaskRows, tally: Tally, group: number): BinnedRows => {
  const { bins, groups } = rows;
  const [logits, weights, positives] = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
  groups.forEach((_, place) => {
    if (!isWithin(rows, place, group)) return;
    for (let bin = 0, cell = place * bins; bin < bins; bin += 1, cell += 1) {
      logits[bin]! += tally.logits[cell]!;
      weights[bin]! += tally.weights[cell]!;
      positives[bin]! += tally.positives[cell]!;
    }
  });
  let filled = 0;
  for (let bin = 0; bin < bins; bin += 1) {
    const weight = weights[bin]!;
    if (weight === 0) continue;
    logits[filled] = logits[bin]! / weight;
    positives[filled] = positives[bin]!;
    weights[filled] = weight;
    filled += 1;
  }
  return { logits: logits.slice(0, filled), weights: weights.slice(0, filled), positives: positives.slice(0, filled) };
};
