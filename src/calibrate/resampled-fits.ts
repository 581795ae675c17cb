/** What other users would have made of a calibration: the same method fitted to resampled ones. */
import { randomNormal } from 'd3-random';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { CalibrationMethod } from '../config/unify-plan.js';
import { tallyRows } from './binned-rows.js';
import type { CalibrationLayer } from './calibration.js';
import { chooseSimplest, crossValidate, foldRows } from './choose-candidate.js';
import { candidatesOf, fitLevels, type Candidate } from './fit-levels.js';
import type { TaskRows } from './task-rows.js';
import { userFolds } from './user-folds.js';

const FOLDS = 5;
const SEED = 1;

/** The way to fit a method: where there are several, the one that does best on users held out. */
const bestWay = (rows: TaskRows, method: CalibrationMethod): Candidate => {
  const candidates = candidatesOf(method);
  const [first] = candidates;
  if (candidates.length === 1 || rows.users.length === 0) return first!;
  const folded = foldRows(rows, userFolds(rows.users, FOLDS, SEED));
  return chooseSimplest(candidates.map((candidate) => crossValidate({ candidate, folded, isCorrection: false }))).candidate;
};

/** Methods without an offset are fitted with one: whether it takes one is a choice that other users might have made. */
const WITH_OFFSET: Readonly<Partial<Record<CalibrationMethod, CalibrationMethod>>> = { identity: 'shift', temperature: 'affine' };

/**
 * Prepares the fits of a method to resampled users. How far groups stray from their parents is found once, on all rows; where in
 * that range a thin group really is, which its rows do not tell, is drawn at random, from the seed.
 *
 * @returns the layers by place of the group, given how often each user was drawn
 */
export const resampledFits = (rows: TaskRows, method: CalibrationMethod, seed: number): ((counts: Uint8Array) => readonly CalibrationLayer[]) => {
  const candidate = bestWay(rows, WITH_OFFSET[method] ?? method);
  const { spreads } = fitLevels(rows, tallyRows(rows), candidate);
  const generator = xoroshiro128plus(seed);
  const normal = randomNormal.source(() => uniformFloat64(generator))(0, 1);
  return (counts) => fitLevels(rows, tallyRows(rows, counts), candidate, { spreads, normal }).layers;
};
