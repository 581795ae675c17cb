/**
 * Rows gathered by logit. Calibration curves bend far slower than a bin is wide, and every bin keeps the mean of its rows'
 * logits, so that fitting on bins is fitting on rows, whatever there are of them.
 */
import type { TaskRows } from './task-rows.js';

/** Bins per unit of logit. */
const DENSITY = 64;

/** `positives[i]` of `weights[i]` rows at `logits[i]`, ascending. */
export interface BinnedRows {
  readonly logits: Float64Array;
  readonly weights: Float64Array;
  readonly positives: Float64Array;
}

export const totalOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/**
 * Some rows of a task, binned.
 *
 * @param counts how often each user's rows count; default: once
 * @param pull weight of a second label that every row has beside its own, the present layers' probability; default 0
 */
export const binRows = ({ logits, labels, users, present }: TaskRows, rows: Int32Array, counts?: Uint8Array, pull = 0): BinnedRows => {
  const most = rows.length;
  const [means, weights, positives] = [new Float64Array(most), new Float64Array(most), new Float64Array(most)];
  let bins = 0;
  let last = NaN;
  for (const row of rows) {
    const count = counts === undefined ? 1 : counts[users[row]!]!;
    if (count === 0) continue;
    const logit = logits[row]!;
    const key = Math.round(logit * DENSITY);
    if (key !== last) bins += 1;
    last = key;
    const bin = bins - 1;
    means[bin]! += count * logit;
    weights[bin]! += count;
    positives[bin]! += count * (labels[row]! + (pull === 0 ? 0 : pull * present![row]!));
  }
  for (let bin = 0; bin < bins; bin += 1) {
    means[bin]! /= weights[bin]!;
    weights[bin]! *= 1 + pull;
  }
  return { logits: means.slice(0, bins), weights: weights.slice(0, bins), positives: positives.slice(0, bins) };
};
