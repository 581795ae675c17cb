/** Applies a calibration to scored rows. */
import type { Predictions, TaskPredictions } from '../evaluate/predictions.js';
import { applyLayer, logitOf, sigmoid } from './apply-layer.js';
import { layerOf, type Calibration, type TaskCalibration } from './calibration.js';

const calibrateTask = ({ surfaceNames, viewTypeNames, surfaces, viewTypes }: Predictions, task: TaskPredictions, calibration: TaskCalibration): TaskPredictions => {
  const layers = surfaceNames.map((surface) => viewTypeNames.map((viewType) => layerOf(calibration, surface, viewType)));
  const probabilities = task.probabilities.map((probability, row) => {
    const layer = layers[surfaces[row]!]![viewTypes[row]!]!;
    return Number.isNaN(probability) ? probability : sigmoid(applyLayer(layer, logitOf(probability)));
  });
  return { ...task, probabilities };
};

/**
 * Predictions through their layers. The correction of negative down-sampling is in the predictions' logits already, as it was when
 * the layers were fitted. Tasks that the calibration lacks stay as they are.
 */
export const calibratePredictions = (calibration: Calibration, predictions: Predictions): Predictions => ({
  ...predictions,
  tasks: predictions.tasks.map((task) => {
    const own = calibration.tasks.find((one) => one.task === task.task);
    return own === undefined ? task : calibrateTask(predictions, task, own);
  }),
});

/** The calibration that has its one global layer for all rows. */
export const globalOnly = (calibration: Calibration): Calibration => ({ ...calibration, tasks: calibration.tasks.map((task) => ({ ...task, viewTypes: {}, surfaces: {} })) });
