import { ascendingOrder } from './score-order.js';

/** Ranks from 1 in ascending order; equal values share the mean of theirs. */
const meanRanks = (values: Float32Array | Float64Array): Float64Array => {
  const order = ascendingOrder(values);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end += 1;
    for (let at = start; at < end; at += 1) ranks[order[at]!] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
};

/**
 * Spearman's rank correlation: Pearson's of the ranks, ties with the mean of theirs.
 *
 * @param a as many values as `b`, none of them NaN
 * @returns null where one side has a single value only, or there are fewer than two rows
 */
export const rankCorrelation = (a: Float32Array | Float64Array, b: Float32Array | Float64Array): number | null => {
  const [ranksA, ranksB] = [meanRanks(a), meanRanks(b)];
  const middle = (a.length + 1) / 2;
  let [together, squaresA, squaresB] = [0, 0, 0];
  for (let row = 0; row < a.length; row += 1) {
    const [x, y] = [ranksA[row]! - middle, ranksB[row]! - middle];
    together += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return squaresA === 0 || squaresB === 0 ? null : together / Math.sqrt(squaresA * squaresB);
};
