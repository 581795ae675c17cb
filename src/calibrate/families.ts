/** The methods with parameters: what each makes of a logit. */
import type { CalibrationMethod } from '../config/unify-plan.js';
import { softplus } from './apply-layer.js';
import type { BinnedRows } from './binned-rows.js';
import type { CalibrationLayer } from './calibration.js';
import type { Design, Prior } from './newton.js';

export type ParametricMethod = Exclude<CalibrationMethod, 'isotonic'>;

/**
 * A family of layers. Offsets are those at a center, the mean logit of the task: there an offset and a slope hardly depend on each
 * other, and each can be drawn to its parent's by itself.
 */
export interface Family {
  /** Columns of a logit, less their values at the center. */
  readonly terms: readonly ((logit: number, center: number) => number)[];
  readonly base: (logit: number, center: number) => number;
  readonly isSlope: readonly boolean[];
  readonly layer: (parameters: readonly number[], center: number) => CalibrationLayer;
}

const one = (): number => 1;
const line = (offset: number, slope: number): CalibrationLayer => ({ offset, below: slope, above: slope, knots: [], rises: [] });

export const FAMILIES: Readonly<Record<ParametricMethod, Family>> = {
  identity: { terms: [], base: (z) => z, isSlope: [], layer: () => line(0, 1) },
  shift: { terms: [one], base: (z) => z, isSlope: [false], layer: ([shift]) => line(shift!, 1) },
  temperature: { terms: [(z) => z], base: () => 0, isSlope: [true], layer: ([slope]) => line(0, slope!) },
  affine: {
    terms: [one, (z, center) => z - center],
    base: (_, center) => center,
    isSlope: [false, true],
    layer: ([shift, slope], center) => line(center + shift! - slope! * center, slope!),
  },
  beta: {
    terms: [one, (z, center) => softplus(-center) - softplus(-z), (z, center) => softplus(z) - softplus(center)],
    base: (_, center) => center,
    isSlope: [false, true, true],
    layer: ([shift, below, above], center) => ({
      offset: center + shift! + below! * softplus(-center) - above! * softplus(center),
      below: below!,
      above: above!,
      knots: [],
      rises: [],
    }),
  },
};

/** Slopes are 1 and offsets 0 in the layer that leaves logits as they are. */
export const identityOf = ({ isSlope }: Pick<Family, 'isSlope'>): readonly number[] => isSlope.map(Number);

/** What the layer of all rows is drawn to, hardly: enough to settle what the rows leave open. */
export const weakPrior = (family: Pick<Family, 'isSlope'>): Prior => ({ mean: identityOf(family), variance: family.isSlope.map((slope) => (slope ? 1 : 9)) });

/** A family's columns at some rows. */
export const designOf = (family: Family, { logits, weights, positives }: BinnedRows, center: number): Design => ({
  columns: family.terms.map((term) => logits.map((logit) => term(logit, center))),
  base: logits.map((logit) => family.base(logit, center)),
  weights,
  positives,
  isSlope: family.isSlope,
});
