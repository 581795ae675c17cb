/** Empirical Bayes over the groups of one level (Morris 1983). */
import { identityOf, type Family } from './families.js';
import { fitLogistic, type Design, type Fit, type Prior } from './newton.js';

/** A group's rows, and its parent's parameters, which its own are drawn to. */
export interface ShrunkGroup {
  readonly design: Design;
  readonly parent: readonly number[];
  /**
   * Variance around the parent's parameters in units of the level's: a parent is the mean of its parts, weighted by what they tell,
   * so that a large part is near to it by being most of it and a small one is not.
   */
  readonly distance: number;
}

/** How far offsets and slopes are thought to stray before any group has been seen; counts as one group. */
const TYPICAL = { offset: 0.3 ** 2, slope: 0.15 ** 2 } as const;

/** What a correction of layers in use is drawn to: none. */
export const typicalPrior = (family: Pick<Family, 'isSlope'>): Prior => ({
  mean: identityOf(family),
  variance: family.isSlope.map((slope) => (slope ? TYPICAL.slope : TYPICAL.offset)),
});

const ROUNDS = 20;
const SETTLED = 0.01;

const around = (variance: readonly number[], distance: number): readonly number[] => variance.map((value) => value * distance);

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
    fits = groups.map(({ design, parent, distance }, index) => fitLogistic(design, { mean: parent, variance: around(before, distance) }, fits[index]?.parameters));
    variance = before.map((old, j) => {
      let [strayed, told] = [typical[j]!, 1];
      fits.forEach((fit, index) => {
        const { parent, distance } = groups[index]!;
        strayed += (fit.parameters[j]! - parent[j]!) ** 2 / distance;
        told += Math.max(0, 1 - fit.variance[j]! / (old * distance));
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
 * @param normal standard normal numbers that say where, within the variance, each parameter is drawn to instead of its parent's: with
 *   resampled rows the fits are then draws from the posterior, which holds what shrinking leaves open (perturb and optimize:
 *   Papandreou and Yuille 2010; Laird and Louis 1987 on why a bootstrap of shrunk fits alone is too narrow)
 */
export const shrinkLevel = (groups: readonly ShrunkGroup[], isSlope: readonly boolean[], known?: readonly number[], normal?: () => number): ShrunkLevel => {
  const variance = known ?? estimateVariance(groups, isSlope);
  const fitOne = ({ design, parent, distance }: ShrunkGroup): readonly number[] => {
    const own = around(variance, distance);
    const means = normal === undefined ? parent : parent.map((value, j) => value + Math.sqrt(own[j]!) * normal());
    return fitLogistic(design, { mean: means.map((mean, j) => (isSlope[j]! ? Math.max(0, mean) : mean)), variance: own }).parameters;
  };
  return { variance, parameters: groups.map(fitOne) };
};
