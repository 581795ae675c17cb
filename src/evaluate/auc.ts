import type { Metric, Statistic } from './metric.js';
import type { DrawBlock, Sample } from './sample.js';
import { ascendingOrder } from './score-order.js';

/**
 * Area under the ROC curve, exact: the chance that a positive scores above a negative, a tie counting one half.
 * NaN with one class only.
 *
 * @param labels 0 or 1 per row.
 * @param scores any monotone score, not NaN.
 * @param weights per row; default 1.
 */
export const auc = (labels: ArrayLike<number>, scores: Float32Array | Float64Array, weights?: ArrayLike<number>): number =>
  aucInOrder(ascendingOrder(scores), labels, scores, weights);

/** {@link auc} over rows already in ascending order of score; `order` may be a part of the rows. */
export const aucInOrder = (
  order: Uint32Array | Int32Array,
  labels: ArrayLike<number>,
  scores: Float32Array | Float64Array,
  weights?: ArrayLike<number>,
): number => {
  let area = 0;
  let positives = 0;
  let negatives = 0;
  for (let i = 0; i < order.length; ) {
    const score = scores[order[i]!]!;
    let tiedPositives = 0;
    let tiedNegatives = 0;
    for (; i < order.length && scores[order[i]!] === score; i++) {
      const row = order[i]!;
      const weight = weights === undefined ? 1 : weights[row]!;
      if (labels[row] === 1) tiedPositives += weight;
      else tiedNegatives += weight;
    }
    area += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return area / (positives * negatives);
};

const POSITIVE = 1;
const TIED = 2;
const FIRST_OF_TIE = 4;
const USER_SHIFT = 3;

/**
 * A sample's rows in ascending order of score, each packed into one integer: its user, its label, and whether it shares
 * its score. Within a tie, positives come first, so that every positive meets exactly the negatives below it.
 */
const packRows = ({ order, labels, users, probabilities, count }: Sample): Int32Array => {
  const packed = new Int32Array(count);
  for (let start = 0; start < count; ) {
    const score = probabilities[order[start]!]!;
    let end = start + 1;
    while (end < count && probabilities[order[end]!] === score) end++;
    const tie = end - start > 1 ? TIED : 0;
    let place = start;
    for (const label of tie === 0 ? [labels[order[start]!]!] : [1, 0]) {
      for (let i = start; i < end; i++) {
        const row = order[i]!;
        if (labels[row] !== label) continue;
        packed[place] = (users[row]! << USER_SHIFT) | (tie !== 0 && place === start ? FIRST_OF_TIE : 0) | tie | label;
        place++;
      }
    }
    start = end;
  }
  return packed;
};

/**
 * AUC of a block of replicates in one sequential pass over the packed rows. Most rows are negatives without a tie, and
 * for those a lane costs one addition. Counts and areas are whole numbers (or halves), so every sum is exact.
 */
const aucOfBlock = (packed: Int32Array, words: Int32Array): Float64Array => {
  let [negatives0, negatives1, negatives2, negatives3] = [0, 0, 0, 0];
  let [positives0, positives1, positives2, positives3] = [0, 0, 0, 0];
  let [area0, area1, area2, area3] = [0, 0, 0, 0];
  let [tied0, tied1, tied2, tied3] = [0, 0, 0, 0];
  for (const row of packed) {
    const word = words[row >> USER_SHIFT]!;
    const [count0, count1, count2, count3] = [word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24];
    if ((row & FIRST_OF_TIE) !== 0) tied0 = tied1 = tied2 = tied3 = 0;
    if ((row & POSITIVE) !== 0) {
      area0 += count0 * negatives0;
      area1 += count1 * negatives1;
      area2 += count2 * negatives2;
      area3 += count3 * negatives3;
      positives0 += count0;
      positives1 += count1;
      positives2 += count2;
      positives3 += count3;
      if ((row & TIED) === 0) continue;
      tied0 += count0;
      tied1 += count1;
      tied2 += count2;
      tied3 += count3;
    } else {
      negatives0 += count0;
      negatives1 += count1;
      negatives2 += count2;
      negatives3 += count3;
      if ((row & TIED) === 0) continue;
      area0 += (count0 * tied0) / 2;
      area1 += (count1 * tied1) / 2;
      area2 += (count2 * tied2) / 2;
      area3 += (count3 * tied3) / 2;
    }
  }
  return Float64Array.of(
    area0 / (positives0 * negatives0),
    area1 / (positives1 * negatives1),
    area2 / (positives2 * negatives2),
    area3 / (positives3 * negatives3),
  );
};

/** AUC of replicates in O(n) each: the order is found once, and the replicates of a block share one pass. */
const prepareAuc = (sample: Sample): Statistic => {
  const whole = aucInOrder(sample.order, sample.labels, sample.probabilities);
  let packed: Int32Array | undefined;
  let drawn: { readonly block: DrawBlock; readonly values: Float64Array } | undefined;
  return (draws) => {
    if (draws === null) return whole;
    packed ??= packRows(sample);
    if (drawn?.block !== draws.block) drawn = { block: draws.block, values: aucOfBlock(packed, draws.block.words) };
    return drawn.values[draws.lane]!;
  };
};

/** Area under the ROC curve. */
export const aucMetric: Metric = { title: 'AUC', better: 'higher', resampled: true, prepare: prepareAuc };
