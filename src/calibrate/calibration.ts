/** What a fitted calibration is, as plain JSON. */
import type { CalibrationMethod } from '../config/unify-plan.js';

/**
 * One calibration layer, a non-decreasing map of logits:
 * `offset − below·softplus(−z) + above·softplus(z) + Σ rises[k]·relu(z − knots[k])`.
 *
 * Every method is one. With `below = above = s` the softplus terms are `s·z`: shift, temperature (Guo et al. 2017) and affine
 * (Platt 1999). With two slopes it is beta calibration (Kull et al. 2017), `below·ln p − above·ln(1 − p) + offset`. With both 1
 * the rises bend a line into a piecewise-linear curve: isotonic (Zadrozny & Elkan 2002), of slope 1 outside its knots.
 */
export interface CalibrationLayer {
  readonly offset: number;
  readonly below: number;
  readonly above: number;
  /** Ascending. */
  readonly knots: readonly number[];
  /** Change of slope at each knot. */
  readonly rises: readonly number[];
}

/** How one method did on held-out folds: mean log loss over the task's labelled rows. */
export interface MethodScore {
  readonly method: CalibrationMethod;
  /** A layer per view type, shrunk towards its surface and the whole. */
  readonly perViewType: number;
  /** One layer for all rows. */
  readonly global: number;
}

export interface TaskCalibration {
  readonly task: string;
  readonly method: CalibrationMethod;
  /** Layer of each view type that had rows, by its name `surface/view type`. */
  readonly viewTypes: Readonly<Record<string, CalibrationLayer>>;
  /** Layer of each surface: of its view types that had no rows, or were never seen. */
  readonly surfaces: Readonly<Record<string, CalibrationLayer>>;
  /**
   * One layer for all rows, of the method that was best as such: what view-type layers are compared with, and the layer of
   * surfaces that had no rows.
   */
  readonly global: CalibrationLayer;
  readonly globalMethod: CalibrationMethod;
  readonly scores: readonly MethodScore[];
  /** Labelled rows and positives it was fitted on, by view type. */
  readonly rows: Readonly<Record<string, { readonly rows: number; readonly positives: number }>>;
}

/** Calibration of a model's predictions, logits with the correction of negative down-sampling applied. */
export interface Calibration {
  readonly version: 1;
  readonly tasks: readonly TaskCalibration[];
}

/** The layer that leaves logits as they are. */
export const IDENTITY_LAYER: CalibrationLayer = { offset: 0, below: 1, above: 1, knots: [], rises: [] };

/** The layer of a row: its view type's, else its surface's, else that of all rows. */
export const layerOf = ({ viewTypes, surfaces, global }: Pick<TaskCalibration, 'viewTypes' | 'surfaces' | 'global'>, surface: string, viewType: string): CalibrationLayer =>
  viewTypes[viewType] ?? surfaces[surface] ?? global;
