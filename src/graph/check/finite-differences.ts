/** Gradients against central finite differences: the proof that an op's gradient is right. */
import { gradients } from '../gradients.js';
import { constant } from '../inputs.js';
import { mul } from '../ops/mul.js';
import { reduceSum } from '../ops/reduce-sum.js';
import type { DType, Tensor } from '../tensor.js';
import { loadGraph } from './run-graph.js';
import type { Feeds, LoadedGraph, RunOptions } from './run-graph.js';

/**
 * Steps and tolerance that rounding allows. Where a step crosses a corner of ReLU the difference is of no use; a smaller one
 * then tells, and a wrong gradient agrees with neither.
 */
const PRECISION = {
  float64: { steps: [1e-5], tolerance: 1e-7 },
  float32: { steps: [1e-2, 2e-3], tolerance: 1e-3 },
} as const;

/** A graph to check: the derivative of the scalar `loss` by each of `variables`. */
export interface GradientCheck {
  readonly loss: Tensor;
  /** Inputs or parameters. */
  readonly variables: readonly Tensor[];
  readonly feeds: Feeds;
}

/** One element whose gradient differs from the finite difference. */
export interface GradientMismatch {
  readonly variable: string;
  readonly element: number;
  readonly gradient: number;
  readonly difference: number;
}

/**
 * A scalar that gives every element of a tensor of known shape a weight of its own, so that no gradient hides behind a
 * symmetry.
 */
export const weightedSum = (x: Tensor): Tensor => {
  const shape = x.shape.map(Number);
  const size = shape.reduce((product, dim) => product * dim, 1);
  const weights = Array.from({ length: size }, (_, index) => Math.sin(1 + 1.7 * index) + 0.2);
  const axes = shape.map((_, axis) => axis);
  return reduceSum(mul(x, constant(weights, x.dtype, shape)), axes);
};

const differenceAt = async (
  graph: LoadedGraph,
  feeds: Feeds,
  name: string,
  element: number,
  step: number,
): Promise<number> => {
  const lossAt = async (shift: number): Promise<number> => {
    const fed = feeds[name]!;
    const values = fed.values.map((value, index) => (index === element ? value + shift : value));
    return (await graph.run({ ...feeds, [name]: { ...fed, values } }, ['loss']))['loss']!.values[0]!;
  };
  return ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
};

/** Compares all gradients of a loss with central differences; gives the elements that differ. */
export const checkGradients = async (check: GradientCheck, options: RunOptions = {}): Promise<GradientMismatch[]> => {
  const { loss, variables, feeds } = check;
  const { steps, tolerance } = PRECISION[loss.dtype as keyof typeof PRECISION & DType];
  const derivatives = gradients(loss, variables);
  const graph = await loadGraph(
    { loss, ...Object.fromEntries(variables.map((variable, index) => [`gradient of ${variable.name}`, derivatives[index]!])) },
    options,
  );
  const results = await graph.run(feeds);
  const mismatches: GradientMismatch[] = [];
  for (const variable of variables) {
    const name = variable.name!;
    const computed = results[`gradient of ${name}`]!;
    for (const [element, gradient] of computed.values.entries()) {
      let difference = NaN;
      for (const step of steps) {
        difference = await differenceAt(graph, feeds, name, element, step);
        if (Math.abs(gradient - difference) <= tolerance * (1 + Math.abs(difference))) break;
        if (step === steps.at(-1)) mismatches.push({ variable: name, element, gradient, difference });
      }
    }
    if (computed.values.length !== feeds[name]!.values.length) {
      mismatches.push({ variable: name, element: -1, gradient: computed.values.length, difference: feeds[name]!.values.length });
    }
  }
  return mismatches;
};
