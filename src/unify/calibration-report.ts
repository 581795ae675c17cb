/** What calibration did, measured on rows that neither training nor calibration has read. */
import { calibratePredictions, globalOnly } from '../calibrate/calibrate-predictions.js';
import type { Calibration } from '../calibrate/calibration.js';
import type { BootstrapOptions } from '../evaluate/bootstrap.js';
import { comparePredictions } from '../evaluate/compare.js';
import { evaluatePredictions } from '../evaluate/evaluate.js';
import type { Predictions } from '../evaluate/predictions.js';
import { calibrationTruth } from './calibration-truth.js';
import type { CalibrationReport } from './report.js';

export interface CalibrationReportOptions {
  /** Of all intervals. Default: 200 replicates. */
  readonly bootstrap?: BootstrapOptions;
}

/**
 * Test rows without calibration, with one global layer, and with a layer per view type.
 *
 * @param validation uncalibrated predictions that the calibration was fitted on
 * @param test uncalibrated predictions of the test split
 * @throws DataError for labels or probabilities out of range; UsageError for bootstrap options out of range
 */
export const calibrationReport = (validation: Predictions, test: Predictions, calibration: Calibration, options: CalibrationReportOptions = {}): CalibrationReport => {
  const bootstrap: BootstrapOptions = { replicates: 200, ...options.bootstrap };
  const global = calibratePredictions(globalOnly(calibration), test);
  const after = calibratePredictions(calibration, test);
  return {
    tasks: calibration.tasks.map(({ task, method, globalMethod, scores }) => ({ task, method, globalMethod, scores })),
    before: evaluatePredictions(test, { bootstrap }),
    global: evaluatePredictions(global, { bootstrap }),
    after: evaluatePredictions(after, { bootstrap }),
    comparison: comparePredictions(global, after, { bootstrap, names: ['one global layer', 'a layer per view type'] }),
    ...calibrationTruth(validation, test, calibration, bootstrap),
  };
};
