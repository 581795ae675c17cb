import { sumsMetric } from './metric.js';

/** Log loss of the true probabilities: what the best possible model would score on these labels. Needs truths. */
export const floorMetric = sumsMetric('floor', null, ({ truthLoss, rows }) => truthLoss / rows);

/** How far the log loss is above the floor, as a fraction of the floor. Needs truths. */
export const excessMetric = sumsMetric('excess', 'lower', ({ loss, truthLoss }) => (loss - truthLoss) / truthLoss);

/** Sum of predictions over sum of true probabilities: calibration without the noise of the labels. Needs truths. */
export const truthCalibrationMetric = sumsMetric('calibration to truth', null, ({ predicted, truth }) => predicted / truth);
