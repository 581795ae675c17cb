/** Empirical Bayes over the groups of one level (Morris 1983). */
import { fitLogistic, type Design, type Fit } from './newton.js';

/** A group's rows, and its parent's parameters, which its own are drawn to. */
export interface ShrunkGroup {
  readonly design: Design;
  readonly parent: readonly number[];
}

/** How far offsets and slopes are thought to stray before any group has been seen; counts as one group. */
const TYPICAL = { offset: 0.3 ** 2, slope: 0.15 ** 2 } as const;
const ROUNDS = 20;
const SETTLED = 0.01;

/**
 * Variance of the groups' parameters around their parents', one for each parameter, that explains best how far they stray: with `d`
 * the distances of the fits and `V` their posterior variances, the fixed point of `τ² = (Σ d² + τ₀²) / (Σ (1 − V/τ²) + 1)`. Where the
 * groups have too few rows to tell it stays at the typical `τ₀²`.
 */
const estimateVariance = (groups: readonly ShrunkGroup[], isSlope: readonly boolean[]): readonly number[] => {
  const typical = isSlope.map((slope) => (slope ? TYPICAL.slope : TYPICAL.offset));
  let variance = typical;
  let fits: readonly Fit[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = variance;
    fits = groups.map(({ design, parent }, index) => fitLogistic(design, { mean: parent, variance: before }, fits[index]?.parameters));
    variance = before.map((old, j) => {
      let [strayed, told] = [typical[j]!, 1];
      fits.forEach((fit, index) => {
        strayed += (fit.parameters[j]! - groups[index]!.parent[j]!) ** 2;
        told += Math.max(0, 1 - fit.variance[j]! / old);
      });
      return strayed / told;
    });
    if (variance.every((value, j) => Math.abs(Math.log(value / before[j]!)) < SETTLED)) break;
  }
  return variance;
};

export interface ShrunkLevel {
  readonly variance: readonly number[];
  /** Of each group. */
  readonly parameters: readonly (readonly number[])[];
}

/**
 * Fits the groups of one level, each drawn to its parent as much as the groups together tell.
 *
 * @param known variance found before; default: estimated
 */
export const shrinkLevel = (groups: readonly ShrunkGroup[], isSlope: readonly boolean[], known?: readonly number[]): ShrunkLevel => {
  const variance = known ?? estimateVariance(groups, isSlope);
  return { variance, parameters: groups.map(({ design, parent }) => fitLogistic(design, { mean: parent, variance }).parameters) };
};
