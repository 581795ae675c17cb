import { sumsMetric } from './metric.js';

/** Entropy of a coin that shows 1 with probability `rate`, in nats: the log loss of always predicting the base rate. */
export const baseRateLoss = (rate: number): number =>
  rate <= 0 || rate >= 1 ? 0 : -rate * Math.log(rate) - (1 - rate) * Math.log1p(-rate);

/**
 * Normalized entropy: log loss divided by the log loss of predicting the rows' own base rate (He et al., "Practical
 * Lessons from Predicting Clicks on Ads at Facebook", 2014). 1 is no better than the base rate; NaN with one class only.
 *
 * @param loss mean log loss in nats.
 */
export const normalizedEntropy = (loss: number, rows: number, positives: number): number =>
  positives <= 0 || positives >= rows ? NaN : loss / baseRateLoss(positives / rows);

/** Normalized entropy of each slice against that slice's own base rate. */
export const normalizedEntropyMetric = sumsMetric('NE', 'lower', ({ loss, rows, positives }) =>
  normalizedEntropy(loss / rows, rows, positives),
);
