import { DataError } from '../config/errors.js';
import type { Predictions, TaskPredictions } from './predictions.js';
import { ascendingOrder } from './score-order.js';
import { rowLoss, FLOAT32_EPSILON, FLOAT64_EPSILON } from './log-loss.js';

/** Bootstrap replicates of one sample that are walked together. */
export const LANES = 4;

/** {@link LANES} replicates: lane k of user u was drawn `words[u] >> 8k & 255` times. */
export interface DrawBlock {
  readonly words: Int32Array;
}

/** One bootstrap replicate: how often each of a sample's users was drawn. A new object per replicate. */
export interface Draws {
  readonly counts: Uint8Array;
  /** The same counts, beside those of the replicates in the block's other lanes. */
  readonly block: DrawBlock;
  readonly lane: number;
}

/** Sums over a sample's rows, or over a replicate of it. */
export interface Sums {
  readonly rows: number;
  readonly positives: number;
  /** Sum of predicted probabilities. */
  readonly predicted: number;
  readonly loss: number;
  /** Log loss and sum of the true probabilities; NaN without them. */
  readonly truthLoss: number;
  readonly truth: number;
}

const COLUMNS = 6;

/** One task's labelled rows of one slice, packed; what every metric is computed from. */
export class Sample {
  readonly count: number;
  readonly labels: Uint8Array;
  readonly probabilities: Float32Array;
  /** Null unless every row has one. */
  readonly truths: Float64Array | null;
  /** Per row: index into `userIds`. */
  readonly users: Int32Array;
  /** The sample's users as they are numbered in the predictions. */
  readonly userIds: Int32Array;
  /** Request r owns rows `[requestOffsets[r], requestOffsets[r + 1])`. */
  readonly requestOffsets: Int32Array;
  #order: Uint32Array | undefined;
  #userTotals: Float64Array | undefined;
  #sums: Sums | undefined;
  #drawn: { readonly draws: Draws; readonly sums: Sums } | undefined;

  constructor(predictions: Predictions, task: TaskPredictions, rows: Int32Array) {
    const count = rows.length;
    this.count = count;
    this.labels = new Uint8Array(count);
    this.probabilities = new Float32Array(count);
    this.users = new Int32Array(count);
    const truths = task.truths === undefined ? null : new Float64Array(count);
    let truthsKnown = truths !== null && count > 0;
    const offsets = new Int32Array(count + 1);
    let requests = 0;
    let previous = -1;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      this.labels[i] = task.labels[row]!;
      this.probabilities[i] = task.probabilities[row]!;
      if (truths !== null) {
        const truth = task.truths![row]!;
        truths[i] = truth;
        if (Number.isNaN(truth)) truthsKnown = false;
      }
      const request = predictions.requests[row]!;
      if (request !== previous) offsets[requests++] = i;
      previous = request;
    }
    offsets[requests] = count;
    this.truths = truthsKnown ? truths : null;
    this.requestOffsets = offsets.slice(0, requests + 1);
    this.userIds = this.#numberUsers(predictions.users, rows);
  }

  /** Fills `users` with numbers by first appearance and returns the users behind them. */
  #numberUsers(users: Int32Array, rows: Int32Array): Int32Array {
    const numbers = new Map<number, number>();
    let last = -1;
    let number = -1;
    for (let i = 0; i < rows.length; i++) {
      const user = users[rows[i]!]!;
      // Rows of a request follow each other: most need no look-up.
      if (user !== last) {
        number = numbers.get(user) ?? numbers.size;
        if (number === numbers.size) numbers.set(user, number);
        last = user;
      }
      this.users[i] = number;
    }
    return Int32Array.from(numbers.keys());
  }

  get userCount(): number {
    return this.userIds.length;
  }

  get requestCount(): number {
    return this.requestOffsets.length - 1;
  }

  /** Rows in ascending order of probability, sorted once. */
  get order(): Uint32Array {
    return (this.#order ??= ascendingOrder(this.probabilities));
  }

  /** Sums over the rows, or over the rows of a replicate; O(users) a replicate, and once for all metrics. */
  sums(draws: Draws | null): Sums {
    if (draws === null) return (this.#sums ??= this.#sumUsers(null));
    if (this.#drawn?.draws !== draws) this.#drawn = { draws, sums: this.#sumUsers(draws.counts) };
    return this.#drawn.sums;
  }

  #sumUsers(counts: Uint8Array | null): Sums {
    const totals = (this.#userTotals ??= this.#totalPerUser());
    let [rows, positives, predicted, loss, truthLoss, truth] = [0, 0, 0, 0, 0, 0];
    for (let user = 0, at = 0; user < this.userCount; user++, at += COLUMNS) {
      const weight = counts === null ? 1 : counts[user]!;
      rows += weight * totals[at]!;
      positives += weight * totals[at + 1]!;
      predicted += weight * totals[at + 2]!;
      loss += weight * totals[at + 3]!;
      truthLoss += weight * totals[at + 4]!;
      truth += weight * totals[at + 5]!;
    }
    const known = this.truths !== null;
    return { rows, positives, predicted, loss, truthLoss: known ? truthLoss : NaN, truth: known ? truth : NaN };
  }

  #totalPerUser(): Float64Array {
    const totals = new Float64Array(this.userCount * COLUMNS);
    for (let i = 0; i < this.count; i++) {
      const at = this.users[i]! * COLUMNS;
      const label = this.labels[i]!;
      const probability = this.probabilities[i]!;
      totals[at]! += 1;
      totals[at + 1]! += label;
      totals[at + 2]! += probability;
      totals[at + 3]! += rowLoss(label, probability, FLOAT32_EPSILON);
      if (this.truths === null) continue;
      totals[at + 4]! += rowLoss(label, this.truths[i]!, FLOAT64_EPSILON);
      totals[at + 5]! += this.truths[i]!;
    }
    return totals;
  }
}

/**
 * Rows of a task that have a label.
 *
 * @throws DataError for a label outside {0, 1, NaN}, or a labelled row whose probability is not in [0, 1].
 */
export const labelledRows = (predictions: Predictions, task: TaskPredictions): Int32Array => {
  const rows = new Int32Array(predictions.count);
  let count = 0;
  for (let row = 0; row < predictions.count; row++) {
    const label = task.labels[row]!;
    if (Number.isNaN(label)) continue;
    if (label !== 0 && label !== 1) {
      throw new DataError(`row ${row} of the predictions has label ${label} for task "${task.task}"`, {
        where: `label.${task.task}, row ${row}`,
        expected: '0, 1, or no label',
        fix: 'check the label expression of the task',
      });
    }
    const probability = task.probabilities[row]!;
    if (!(probability >= 0 && probability <= 1)) {
      const surface = predictions.surfaceNames[predictions.surfaces[row]!];
      throw new DataError(`row ${row} of the predictions (surface "${surface}") has probability ${probability} for task "${task.task}"`, {
        where: `probability.${task.task}, row ${row}`,
        expected: 'a probability from 0 to 1 on every row that has a label',
        fix: 'score the row again; if the surface lacks the task, leave its label out too',
      });
    }
    rows[count++] = row;
  }
  return rows.slice(0, count);
};
