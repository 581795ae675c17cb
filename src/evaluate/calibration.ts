import { sumsMetric, type Metric } from './metric.js';
import type { Sample, Sums } from './sample.js';
import { ascendingOrder } from './score-order.js';

/** One bin of a reliability curve. */
export interface ReliabilityBin {
  readonly rows: number;
  /** Mean predicted probability. */
  readonly predicted: number;
  /** Observed rate of positives. */
  readonly observed: number;
}

/** Sum of predictions over sum of labels: above 1 the model over-predicts. NaN without positives. */
export const calibrationRatio = (
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  weights?: ArrayLike<number>,
): number => {
  let predicted = 0;
  let observed = 0;
  for (let i = 0; i < labels.length; i++) {
    const weight = weights?.[i] ?? 1;
    predicted += weight * probabilities[i]!;
    observed += weight * labels[i]!;
  }
  return observed === 0 ? NaN : predicted / observed;
};

/** The probability at `quantile` of the sorted rows, interpolated linearly as numpy's percentile does. */
const quantileOf = (order: Uint32Array, probabilities: ArrayLike<number>, quantile: number): number => {
  const position = quantile * (order.length - 1);
  const below = Math.floor(position);
  const low = probabilities[order[below]!]!;
  const high = probabilities[order[Math.min(below + 1, order.length - 1)]!]!;
  const part = position - below;
  return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
};

const binInOrder = (
  order: Uint32Array,
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  bins: number,
): readonly ReliabilityBin[] => {
  const edges: number[] = [];
  for (let bin = 1; bin < bins && order.length > 0; bin++) edges.push(quantileOf(order, probabilities, bin / bins));
  const rows = new Float64Array(bins);
  const predicted = new Float64Array(bins);
  const positives = new Float64Array(bins);
  let bin = 0;
  for (const row of order) {
    const probability = probabilities[row]!;
    while (bin < edges.length && probability > edges[bin]!) bin++;
    rows[bin]!++;
    predicted[bin]! += probability;
    positives[bin]! += labels[row]!;
  }
  return summarizeBins(rows, predicted, positives);
};

/** Means of the bins that hold rows. */
export const summarizeBins = (rows: Float64Array, predicted: Float64Array, positives: Float64Array): readonly ReliabilityBin[] => {
  const curve: ReliabilityBin[] = [];
  for (let bin = 0; bin < rows.length; bin++) {
    const count = rows[bin]!;
    if (count > 0) curve.push({ rows: count, predicted: predicted[bin]! / count, observed: positives[bin]! / count });
  }
  return curve;
};

/** Mean distance of predicted and observed rate over the bins, weighted by rows; NaN without rows. */
export const calibrationErrorOfCurve = (curve: readonly ReliabilityBin[]): number => {
  let error = 0;
  let rows = 0;
  for (const bin of curve) {
    error += bin.rows * Math.abs(bin.predicted - bin.observed);
    rows += bin.rows;
  }
  return error / rows;
};

/**
 * Predicted against observed rate in bins of equal mass, ascending. Bin edges are quantiles of the predictions, a value
 * on an edge belongs to the lower bin, and equal predictions share a bin; bins left empty by ties are dropped.
 */
export const reliabilityCurve = (
  labels: ArrayLike<number>,
  probabilities: Float32Array | Float64Array,
  bins = 10,
): readonly ReliabilityBin[] => binInOrder(ascendingOrder(probabilities), labels, probabilities, bins);

/** {@link reliabilityCurve} of a sample. */
export const reliabilityOfSample = (sample: Sample, bins: number): readonly ReliabilityBin[] =>
  binInOrder(sample.order, sample.labels, sample.probabilities, bins);

/** Expected calibration error over equal-mass bins. */
export const expectedCalibrationError = (
  labels: ArrayLike<number>,
  probabilities: Float32Array | Float64Array,
  bins = 10,
): number => calibrationErrorOfCurve(reliabilityCurve(labels, probabilities, bins));

const ratioOfSums = ({ predicted, positives }: Sums): number => (positives === 0 ? NaN : predicted / positives);

/** Sum of predictions over sum of labels. */
export const calibrationRatioMetric = sumsMetric('calibration', null, ratioOfSums);

/** Distance of the calibration ratio from 1, which makes ratios comparable. */
export const calibrationErrorMetric = sumsMetric('|calibration − 1|', 'lower', (sums) => Math.abs(ratioOfSums(sums) - 1));

/** Expected calibration error. Resampling adds noise to every bin and so biases it upwards: it gets no interval. */
export const eceMetric: Metric = {
  title: 'ECE',
  better: 'lower',
  resampled: false,
  prepare: (sample, { eceBins }) => {
    const error = calibrationErrorOfCurve(reliabilityOfSample(sample, eceBins));
    return () => error;
  },
};
