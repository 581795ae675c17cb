import type { Metric } from './metric.js';
import type { Sample } from './sample.js';
import { userMean } from './user-mean.js';

/** Candidates of one request with the same score. */
export interface TieGroup {
  readonly size: number;
  readonly positives: number;
}

/** Value of one request from its groups of ties, best score first; the request has a positive. */
export type RequestValue = (groups: readonly TieGroup[]) => number;

/** Longest request sorted by insertion, which needs no allocation and wins on short runs. */
const INSERTION_LIMIT = 48;

/** Rows `[start, end)` in descending order of score, written to the front of `rows`. */
const sortDescending = (scores: ArrayLike<number>, start: number, end: number, rows: Int32Array): void => {
  for (let i = 0; i < end - start; i++) rows[i] = start + i;
  if (end - start > INSERTION_LIMIT) {
    rows.subarray(0, end - start).sort((a, b) => scores[b]! - scores[a]!);
    return;
  }
  for (let i = 1; i < end - start; i++) {
    const row = rows[i]!;
    const score = scores[row]!;
    let place = i;
    for (; place > 0 && scores[rows[place - 1]!]! < score; place--) rows[place] = rows[place - 1]!;
    rows[place] = row;
  }
};

const tieGroups = (labels: ArrayLike<number>, scores: ArrayLike<number>, rows: Int32Array): readonly TieGroup[] => {
  const groups: { size: number; positives: number }[] = [];
  let group = { size: 0, positives: 0 };
  let previous = NaN;
  for (const row of rows) {
    const score = scores[row]!;
    if (score !== previous) groups.push((group = { size: 0, positives: 0 }));
    previous = score;
    group.size++;
    group.positives += labels[row]!;
  }
  return groups;
};

/**
 * Reciprocal rank of the first positive. Ties are broken at random and the expectation is taken: within a group of t
 * tied candidates of which p are positive, the first positive stands at place j with probability C(t−j, p−1) / C(t, p).
 */
export const reciprocalRank: RequestValue = (groups) => {
  let above = 0;
  for (const { size, positives } of groups) {
    if (positives > 0) {
      let expectation = 0;
      let chance = positives / size;
      for (let place = 1; place <= size - positives + 1; place++) {
        expectation += chance / (above + place);
        chance *= (size - place - positives + 1) / (size - place);
      }
      return expectation;
    }
    above += size;
  }
  return NaN;
};

/**
 * nDCG of the first `k` ranks with binary gains. Ties are averaged over all their orders (McSherry and Najork,
 * "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied Scores", 2008).
 */
export const normalizedDcg = (k: number): RequestValue => {
  const discounts = Float64Array.from({ length: k }, (_, i) => 1 / Math.log2(i + 2));
  return (groups) => {
    let gain = 0;
    let above = 0;
    let positives = 0;
    for (const group of groups) {
      let reachable = 0;
      for (let place = above; place < Math.min(k, above + group.size); place++) reachable += discounts[place]!;
      gain += (group.positives / group.size) * reachable;
      above += group.size;
      positives += group.positives;
    }
    let ideal = 0;
    for (let place = 0; place < Math.min(k, positives); place++) ideal += discounts[place]!;
    return gain / ideal;
  };
};

/** Value of every request, in order; NaN for requests without a positive. Request r owns rows `[offsets[r], offsets[r + 1])`. */
export const requestValues = (
  labels: ArrayLike<number>,
  scores: ArrayLike<number>,
  offsets: ArrayLike<number>,
  value: RequestValue,
): Float64Array => {
  const values = new Float64Array(Math.max(0, offsets.length - 1));
  let longest = 0;
  for (let request = 0; request < values.length; request++) longest = Math.max(longest, offsets[request + 1]! - offsets[request]!);
  const rows = new Int32Array(longest);
  for (let request = 0; request < values.length; request++) {
    const start = offsets[request]!;
    const end = offsets[request + 1]!;
    let positives = 0;
    for (let row = start; row < end; row++) positives += labels[row]!;
    // Most requests have no positive; they are not worth sorting.
    values[request] = NaN;
    if (positives === 0) continue;
    sortDescending(scores, start, end, rows);
    values[request] = value(tieGroups(labels, scores, rows.subarray(0, end - start)));
  }
  return values;
};

const meanOfRequests = (title: string, value: RequestValue): Metric => ({
  title,
  better: 'higher',
  resampled: true,
  prepare: (sample: Sample) => {
    const mean = userMean(sample.userCount);
    const values = requestValues(sample.labels, sample.probabilities, sample.requestOffsets, value);
    for (let request = 0; request < values.length; request++) {
      const own = values[request]!;
      if (!Number.isNaN(own)) mean.add(sample.users[sample.requestOffsets[request]!]!, own, 1);
    }
    return mean.statistic;
  },
  ofRequest: value,
});

/** Mean reciprocal rank over the requests that have a positive. */
export const mrrMetric: Metric = meanOfRequests('MRR', reciprocalRank);

/** nDCG@k, averaged over the requests that have a positive. */
export const ndcgMetric = (k: number): Metric => meanOfRequests(`nDCG@${k}`, normalizedDcg(k));
