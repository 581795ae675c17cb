/** How differently two exports calibrate, whatever their models say. */
import { applyLayer, sigmoid } from '../calibrate/apply-layer.js';
import { IDENTITY_LAYER, layerOf, type Calibration, type CalibrationLayer } from '../calibrate/calibration.js';
import type { CalibrationMethod } from '../config/unify-plan.js';
import { viewTypesOf, type Described } from './diff-schema.js';

/** The layers of one view type: what they make of the same logit. */
export interface CalibrationDiff {
  readonly task: string;
  /** Null: a view type that neither has seen. */
  readonly viewType: string | null;
  /** Null: the task is not calibrated. */
  readonly a: CalibrationMethod | null;
  readonly b: CalibrationMethod | null;
  /** Largest difference of the calibrated logits and probabilities, b − a, over uncalibrated ones of 0.1 % to 99.9 %. */
  readonly logitDifference: number;
  readonly probabilityDifference: number;
  /** Uncalibrated probability at which the probabilities differ most. */
  readonly at: number;
}

/** Logits of 0.1 % and 99.9 %. */
const EDGE = Math.log(999);
const STEPS = 400;

/** Beside an even grid, the places where the curves bend. */
const gridOf = (layers: readonly CalibrationLayer[]): readonly number[] => [
  ...Array.from({ length: STEPS + 1 }, (_, step) => EDGE * ((2 * step) / STEPS - 1)),
  ...layers.flatMap(({ knots }) => knots.filter((knot) => Math.abs(knot) < EDGE)),
];

const larger = (found: number, value: number): number => (Math.abs(value) > Math.abs(found) ? value : found);

/** Largest signed differences of two layers. */
const diffLayers = (a: CalibrationLayer, b: CalibrationLayer): Pick<CalibrationDiff, 'logitDifference' | 'probabilityDifference' | 'at'> => {
  let found = { logitDifference: 0, probabilityDifference: 0, at: 0.5 };
  for (const logit of gridOf([a, b])) {
    const [before, after] = [applyLayer(a, logit), applyLayer(b, logit)];
    const probability = sigmoid(after) - sigmoid(before);
    const isLarger = Math.abs(probability) > Math.abs(found.probabilityDifference);
    found = {
      logitDifference: larger(found.logitDifference, after - before),
      probabilityDifference: isLarger ? probability : found.probabilityDifference,
      at: isLarger ? sigmoid(logit) : found.at,
    };
  }
  return found;
};

const taskOf = (calibration: Calibration | null, task: string): Calibration['tasks'][number] | undefined => calibration?.tasks.find((one) => one.task === task);

/** The tasks and view types of both, those of a first. */
export const diffCalibrations = (a: Described, b: Described): readonly CalibrationDiff[] => {
  const { surface } = a.manifest;
  const tasks = a.manifest.tasks.filter((task) => b.manifest.tasks.includes(task));
  const viewTypes = [...new Set([a, b].flatMap(({ encoders }) => viewTypesOf(encoders, surface))), null];
  return tasks.flatMap((task) => {
    const [before, after] = [taskOf(a.manifest.calibration, task), taskOf(b.manifest.calibration, task)];
    if (before === undefined && after === undefined) return [];
    const layer = (of: typeof before, viewType: string | null): CalibrationLayer => (of === undefined ? IDENTITY_LAYER : layerOf(of, surface, viewType === null ? '' : `${surface}/${viewType}`));
    return viewTypes.map((viewType) => ({ task, viewType, a: before?.method ?? null, b: after?.method ?? null, ...diffLayers(layer(before, viewType), layer(after, viewType)) }));
  });
};
