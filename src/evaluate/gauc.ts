import { aucInOrder } from './auc.js';
import type { Metric } from './metric.js';
import type { Sample } from './sample.js';
import { ascendingOrder } from './score-order.js';
import { userMean } from './user-mean.js';

/** AUC within groups. */
export interface GroupedAuc {
  /** Mean of the groups' AUC, each weighted by its impressions (rows); NaN when no group has both classes. */
  readonly gauc: number;
  /** Groups that have both classes. */
  readonly groups: number;
  /** Groups with one class only, which have no AUC and are left out. */
  readonly leftOut: number;
}

/** Rows of each group in ascending order of score: group g owns `rows[offsets[g] .. offsets[g + 1])`. */
const groupRows = (order: Uint32Array, groups: Int32Array, groupCount: number): { offsets: Int32Array; rows: Uint32Array } => {
  const offsets = new Int32Array(groupCount + 1);
  for (const group of groups) offsets[group + 1]!++;
  for (let group = 0; group < groupCount; group++) offsets[group + 1]! += offsets[group]!;
  const next = offsets.slice();
  const rows = new Uint32Array(order.length);
  for (const row of order) rows[next[groups[row]!]!++] = row;
  return { offsets, rows };
};

const forEachGroup = (
  order: Uint32Array,
  groups: Int32Array,
  groupCount: number,
  labels: ArrayLike<number>,
  scores: Float32Array | Float64Array,
  visit: (auc: number, rows: Uint32Array) => void,
): void => {
  const { offsets, rows } = groupRows(order, groups, groupCount);
  for (let group = 0; group < groupCount; group++) {
    const own = rows.subarray(offsets[group], offsets[group + 1]);
    if (own.length > 0) visit(aucInOrder(own, labels, scores), own);
  }
};

/**
 * GAUC (Zhu et al., "Optimized Cost per Click in Taobao Display Advertising", 2017).
 *
 * @param groups user or request of each row, numbered from 0.
 */
export const groupedAuc = (labels: ArrayLike<number>, scores: Float32Array | Float64Array, groups: Int32Array): GroupedAuc => {
  const groupCount = groups.reduce((largest, group) => Math.max(largest, group), -1) + 1;
  let sum = 0;
  let impressions = 0;
  let used = 0;
  let leftOut = 0;
  forEachGroup(ascendingOrder(scores), groups, groupCount, labels, scores, (value, rows) => {
    if (Number.isNaN(value)) {
      leftOut++;
      return;
    }
    used++;
    sum += value * rows.length;
    impressions += rows.length;
  });
  return { gauc: sum / impressions, groups: used, leftOut };
};

/** Request number of each row of a sample. */
export const requestOfRows = (sample: Sample): Int32Array => {
  const requests = new Int32Array(sample.count);
  for (let request = 0; request < sample.requestCount; request++) {
    requests.fill(request, sample.requestOffsets[request], sample.requestOffsets[request + 1]);
  }
  return requests;
};

/** How many groups of a sample have both classes, and how many are left out of GAUC. */
export const groupCoverage = (sample: Sample, by: 'user' | 'request'): { readonly groups: number; readonly leftOut: number } => {
  const groupOf = by === 'user' ? sample.users : requestOfRows(sample);
  const groupCount = by === 'user' ? sample.userCount : sample.requestCount;
  const classes = new Uint8Array(groupCount);
  for (let i = 0; i < sample.count; i++) classes[groupOf[i]!]! |= sample.labels[i] === 1 ? 2 : 1;
  const groups = classes.reduce((sum, seen) => sum + (seen === 3 ? 1 : 0), 0);
  return { groups, leftOut: groupCount - groups };
};

/** AUC within each user or request, weighted by impressions. */
export const gaucMetric: Metric = {
  title: 'GAUC',
  better: 'higher',
  resampled: true,
  prepare: (sample, { gaucBy }) => {
    const groups = gaucBy === 'user' ? sample.users : requestOfRows(sample);
    const groupCount = gaucBy === 'user' ? sample.userCount : sample.requestCount;
    const mean = userMean(sample.userCount);
    forEachGroup(sample.order, groups, groupCount, sample.labels, sample.probabilities, (value, rows) => {
      if (!Number.isNaN(value)) mean.add(sample.users[rows[0]!]!, value, rows.length);
    });
    return mean.statistic;
  },
};
