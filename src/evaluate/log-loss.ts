import { sumsMetric } from './metric.js';

/** Probabilities are clipped this far from 0 and 1: the spacing of their number type at 1, as scikit-learn does. */
export const FLOAT32_EPSILON = 2 ** -23;
export const FLOAT64_EPSILON = Number.EPSILON;

/** Log loss of one row in nats. */
export const rowLoss = (label: number, probability: number, epsilon: number): number => {
  const clipped = Math.min(1 - epsilon, Math.max(epsilon, probability));
  return label === 1 ? -Math.log(clipped) : -Math.log1p(-clipped);
};

/**
 * Mean binary cross-entropy in nats; NaN without rows.
 *
 * @param labels 0 or 1 per row.
 * @param weights per row; default 1.
 */
export const logLoss = (
  labels: ArrayLike<number>,
  probabilities: Float32Array | Float64Array,
  weights?: ArrayLike<number>,
): number => {
  const epsilon = probabilities instanceof Float32Array ? FLOAT32_EPSILON : FLOAT64_EPSILON;
  let loss = 0;
  let total = 0;
  for (let i = 0; i < labels.length; i++) {
    const weight = weights?.[i] ?? 1;
    loss += weight * rowLoss(labels[i]!, probabilities[i]!, epsilon);
    total += weight;
  }
  return loss / total;
};

/** Mean binary cross-entropy. */
export const logLossMetric = sumsMetric('log loss', 'lower', ({ loss, rows }) => loss / rows);
