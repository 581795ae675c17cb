/** Fits the layers of one method: of the whole, of each surface drawn to it, and of each view type drawn to its surface. */
import type { CalibrationMethod } from '../config/unify-plan.js';
import { applyLayer, shiftLayer, sigmoid } from './apply-layer.js';
import { binsOf, type BinnedRows, type Tally } from './binned-rows.js';
import { IDENTITY_LAYER, type CalibrationLayer } from './calibration.js';
import { designOf, FAMILIES, weakPrior, type ParametricMethod } from './families.js';
import { fitIsotonic } from './isotonic.js';
import { fitLogistic } from './newton.js';
import { shrinkLevel, typicalPrior, type ShrunkGroup } from './shrink-level.js';
import type { TaskRows } from './task-rows.js';

/** What is fitted: a method, and how much an isotonic curve is drawn to its parent's (information of the pseudo-rows). */
export type Candidate = { readonly method: ParametricMethod } | { readonly method: 'isotonic'; readonly pseudo: number };

/** How far surfaces, and view types, stray from their parents: a variance for each parameter. */
export type Spreads = readonly [readonly number[], readonly number[]];

export interface LevelFit {
  /** By place of the group. */
  readonly layers: readonly CalibrationLayer[];
  readonly spreads: Spreads;
}

export interface FitLevelsOptions {
  /** The logits are calibrated already, and the fit stays near them: for all rows too, no correction is what is thought likely. */
  readonly isCorrection?: boolean;
  /** Spreads found before. Default: estimated. */
  readonly spreads?: Spreads;
  /** Standard normal numbers, for draws from what the rows leave open; see {@link shrinkLevel}. Default: the likeliest layers. */
  readonly normal?: () => number;
}

/** Strengths that isotonic curves are tried with: shapes of their own, in between, and the parent's shape but for a shift. */
const PSEUDO_INFORMATION = [64, 1024, 16384] as const;
/** Pulls the curve of all rows off rates of 0 and 1, and hardly more. */
const WHOLE_PSEUDO = 4;

/** The ways to fit a method. */
export const candidatesOf = (method: CalibrationMethod): readonly Candidate[] => (method === 'isotonic' ? PSEUDO_INFORMATION.map((pseudo) => ({ method, pseudo })) : [{ method }]);

const LEVELS = [1, 2] as const;

/** Groups of a level that hold other rows than their parent. */
const ownPlaces = ({ groups }: TaskRows, level: 1 | 2): readonly number[] => groups.flatMap((group, place) => (group.level === level && !group.isParent ? [place] : []));

/** Information `Σ p(1 − p)` of rows. */
const informationOf = ({ logits, weights }: BinnedRows): number => {
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const p = sigmoid(logits[i]!);
    sum += weights[i]! * p * (1 - p);
  }
  return sum;
};

const NEAREST = 1e-3;

/**
 * Variance of each group's distance from its parent, in units of the groups' own around their common mean. A parent's parameters are
 * about the mean of its parts', weighted by their shares of the information `w`; a part is `1 − 2w + Σ w²` away.
 */
const distancesOf = ({ groups }: TaskRows, bins: readonly BinnedRows[]): readonly number[] => {
  const information = bins.map(informationOf);
  const shares = groups.map(({ parent }, place) => information[place]! / Math.max(information[parent]!, 1e-9));
  const squares = groups.map((_, parent) => groups.reduce((sum, group, place) => sum + (place > 0 && group.parent === parent ? shares[place]! ** 2 : 0), 0));
  return groups.map(({ parent }, place) => Math.max(NEAREST, 1 - 2 * shares[place]! + squares[parent]!));
};

const fitParametric = (rows: TaskRows, tally: Tally, method: ParametricMethod, { isCorrection = false, spreads, normal }: FitLevelsOptions): LevelFit => {
  const family = FAMILIES[method];
  const bins = rows.groups.map((_, place) => binsOf(rows, tally, place));
  const distances = distancesOf(rows, bins);
  const groupOf = (place: number, parent: readonly number[]): ShrunkGroup => ({ design: designOf(family, bins[place]!, rows.center), parent, distance: distances[place]! });
  const prior = isCorrection ? typicalPrior(family) : weakPrior(family);
  const parameters: (readonly number[])[] = [fitLogistic(groupOf(0, prior.mean).design, prior).parameters];
  const found = LEVELS.map((level) => {
    rows.groups.forEach((group, place) => {
      if (group.level === level) parameters[place] = parameters[group.parent]!;
    });
    const places = ownPlaces(rows, level);
    const fit = shrinkLevel(places.map((place) => groupOf(place, parameters[place]!)), family.isSlope, spreads?.[level - 1], normal);
    places.forEach((place, index) => {
      parameters[place] = fit.parameters[index]!;
    });
    return fit.variance;
  });
  return { layers: parameters.map((own) => family.layer(own, rows.center)), spreads: [found[0]!, found[1]!] };
};

/** A group's curve is its parent's, shifted as far as the rows tell (empirical Bayes), then bent. */
const fitCurves = (rows: TaskRows, tally: Tally, pseudo: number, { spreads, normal }: FitLevelsOptions): LevelFit => {
  const bins = rows.groups.map((_, place) => binsOf(rows, tally, place));
  const distances = distancesOf(rows, bins);
  const layers: CalibrationLayer[] = [fitIsotonic(bins[0]!, IDENTITY_LAYER, WHOLE_PSEUDO)];
  const found = LEVELS.map((level) => {
    rows.groups.forEach((group, place) => {
      if (group.level === level) layers[place] = layers[group.parent]!;
    });
    const places = ownPlaces(rows, level);
    const shifts = places.map((place): ShrunkGroup => {
      const { logits, weights, positives } = bins[place]!;
      const base = logits.map((logit) => applyLayer(layers[place]!, logit));
      return { design: { columns: [new Float64Array(logits.length).fill(1)], base, weights, positives, isSlope: [false] }, parent: [0], distance: distances[place]! };
    });
    const fit = shrinkLevel(shifts, [false], spreads?.[level - 1], normal);
    places.forEach((place, index) => {
      layers[place] = fitIsotonic(bins[place]!, shiftLayer(layers[place]!, fit.parameters[index]![0]!), pseudo);
    });
    return fit.variance;
  });
  return { layers, spreads: [found[0]!, found[1]!] };
};

/** Fits a layer for each group. A group that holds all rows of its parent has its parent's. */
export const fitLevels = (rows: TaskRows, tally: Tally, candidate: Candidate, options: FitLevelsOptions = {}): LevelFit =>
  candidate.method === 'isotonic' ? fitCurves(rows, tally, candidate.pseudo, options) : fitParametric(rows, tally, candidate.method, options);
