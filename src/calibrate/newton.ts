/** Logistic regression on a few columns, with a normal prior and slopes that are not negative. */
import { sigmoid } from './apply-layer.js';

/** What is fitted: `base + Σ parameters[j] · columns[j]` is the logit of each of the weighted rows. */
export interface Design {
  readonly columns: readonly Float64Array[];
  readonly base: Float64Array;
  readonly weights: Float64Array;
  readonly positives: Float64Array;
  /** Whether a parameter is a slope, which stays at 0 or above. */
  readonly isSlope: readonly boolean[];
}

/** Where parameters are drawn to: mean and variance of each. An infinite variance leaves a parameter free. */
export interface Prior {
  readonly mean: readonly number[];
  readonly variance: readonly number[];
}

export interface Fit {
  readonly parameters: readonly number[];
  /** Posterior variance of each parameter (Laplace's approximation). */
  readonly variance: readonly number[];
}

/** Solves a small symmetric positive definite system by Cholesky's factors. */
const solve = (matrix: readonly (readonly number[])[], right: readonly number[]): number[] => {
  const size = right.length;
  const lower = matrix.map(() => new Array<number>(size).fill(0));
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k += 1) sum -= lower[i]![k]! * lower[j]![k]!;
      lower[i]![j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j]![j]!;
    }
  }
  const solution = [...right];
  for (let i = 0; i < size; i += 1) {
    for (let k = 0; k < i; k += 1) solution[i]! -= lower[i]![k]! * solution[k]!;
    solution[i]! /= lower[i]![i]!;
  }
  for (let i = size - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < size; k += 1) solution[i]! -= lower[k]![i]! * solution[k]!;
    solution[i]! /= lower[i]![i]!;
  }
  return solution;
};

const inverseDiagonal = (matrix: readonly (readonly number[])[]): number[] => matrix.map((_, j) => solve(matrix, matrix.map((__, i) => (i === j ? 1 : 0)))[j]!);

interface Surroundings {
  readonly objective: number;
  readonly gradient: readonly number[];
  readonly hessian: readonly (readonly number[])[];
}

/** Penalized log loss with its derivatives. */
const look = ({ columns, base, weights, positives }: Design, { mean, variance }: Prior, parameters: readonly number[]): Surroundings => {
  const size = parameters.length;
  const gradient = parameters.map((value, j) => (value - mean[j]!) / variance[j]!);
  const hessian = parameters.map((_, i) => parameters.map((__, j) => (i === j ? 1 / variance[i]! : 0)));
  let objective = parameters.reduce((sum, value, j) => sum + (0.5 * (value - mean[j]!) ** 2) / variance[j]!, 0);
  const rows = base.length;
  const residuals = new Float64Array(rows);
  const curvatures = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let z = base[row]!;
    for (let j = 0; j < size; j += 1) z += parameters[j]! * columns[j]![row]!;
    const weight = weights[row]!;
    const p = sigmoid(z);
    objective += weight * (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))) - positives[row]! * z;
    residuals[row] = weight * p - positives[row]!;
    curvatures[row] = weight * p * (1 - p);
  }
  for (let i = 0; i < size; i += 1) {
    const a = columns[i]!;
    let slope = 0;
    for (let row = 0; row < rows; row += 1) slope += residuals[row]! * a[row]!;
    gradient[i]! += slope;
    for (let j = 0; j <= i; j += 1) {
      const b = columns[j]!;
      let sum = 0;
      for (let row = 0; row < rows; row += 1) sum += curvatures[row]! * a[row]! * b[row]!;
      hessian[i]![j]! += sum;
      if (j < i) hessian[j]![i]! += sum;
    }
  }
  return { objective, gradient, hessian };
};

/** The Newton step. A slope that it would make negative goes to 0 and stays out of it. */
const stepOf = ({ isSlope }: Design, parameters: readonly number[], { gradient, hessian }: Surroundings): readonly number[] => {
  const held = parameters.map((value, j) => isSlope[j]! && value === 0 && gradient[j]! > 0);
  for (;;) {
    // Held parameters move by what takes them to 0; the others follow.
    const fixed = parameters.map((value, j) => (held[j]! ? -value : 0));
    const matrix = hessian.map((row, i) => row.map((value, j) => (held[i]! || held[j]! ? Number(i === j) : value)));
    const right = gradient.map((value, i) => (held[i]! ? fixed[i]! : -value - fixed.reduce((sum, move, j) => sum + hessian[i]![j]! * move, 0)));
    const step = solve(matrix, right);
    const crossing = step.findIndex((move, j) => isSlope[j]! && !held[j]! && parameters[j]! + move < 0);
    if (crossing === -1) return step;
    held[crossing] = true;
  }
};

const STEPS = 100;
const CLOSE = 1e-9;

/**
 * The parameters with the lowest penalized log loss, by Newton's method with halved steps.
 *
 * @param start where to begin; default: the prior's mean
 */
export const fitLogistic = (design: Design, prior: Prior, start: readonly number[] = prior.mean): Fit => {
  let parameters = start;
  if (parameters.length === 0) return { parameters, variance: [] };
  let here = look(design, prior, parameters);
  for (let steps = 0; steps < STEPS; steps += 1) {
    const step = stepOf(design, parameters, here);
    const moved = Math.max(...step.map(Math.abs));
    if (moved < CLOSE) break;
    const after = (scale: number): number[] => parameters.map((value, j) => (design.isSlope[j]! ? Math.max(0, value + scale * step[j]!) : value + scale * step[j]!));
    let scale = 1;
    let next = after(scale);
    let there = look(design, prior, next);
    while (!(there.objective <= here.objective) && scale > 1e-6) {
      scale /= 2;
      next = after(scale);
      there = look(design, prior, next);
    }
    if (!(there.objective <= here.objective)) break;
    [parameters, here] = [next, there];
    // Newton's steps square their error: after one this short the next is nothing.
    if (moved < 1e-5) break;
  }
  return { parameters, variance: inverseDiagonal(here.hessian) };
};
