import type { Model } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { concat } from '../graph/ops/concat.js';
import { matmul } from '../graph/ops/matmul.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { relu } from '../graph/ops/relu.js';
import { reshape } from '../graph/ops/reshape.js';
import { slice } from '../graph/ops/slice.js';
import { softmax } from '../graph/ops/softmax.js';
import { cross } from './cross.js';
import { dense, mlp } from './dense.js';
import { broadcastToCandidates } from './inputs.js';
import { featureWidth, type Scope } from './scope.js';

type ExpertOptions = NonNullable<Model['experts']>;

/** What the experts give, before any task has mixed it. */
export interface Mixture {
  /** `[candidates, experts · width]`. */
  readonly outputs: Tensor;
  /** `[candidates, tasks · experts]`: each task's weights over the experts, which sum to 1. */
  readonly gates: Tensor;
}

/** The first layer of all MLP experts is one wide product. */
const mlpExperts = (scope: Scope, x: Tensor, { count, hidden }: ExpertOptions, dropout: number): Tensor => {
  const [first, ...rest] = hidden as readonly [number, ...number[]];
  const fanIn = featureWidth(x);
  const own = scope.child('dense0');
  const weight = own.parameter('weight', [fanIn, count * first], { type: 'glorot', fanIn, fanOut: first }, { decay: true });
  const bias = own.parameter('bias', [count * first], { type: 'zeros' }, { decay: false });
  const wide = scope.dropout(relu(add(matmul(x, weight), bias)), dropout, 'candidate');
  if (rest.length === 0) return wide;
  const deeper = Array.from({ length: count }, (_, expert) => mlp(rest, { dropout })(scope.child(`expert${expert}`), slice(wide, 1, expert * first, (expert + 1) * first)));
  return concat(deeper, 1);
};

const crossExperts = (scope: Scope, x: Tensor, { count, hidden, rank }: ExpertOptions, dropout: number): Tensor =>
  concat(
    Array.from({ length: count }, (_, expert) => {
      const own = scope.child(`expert${expert}`);
      return mlp(hidden, { dropout })(own, cross({ layers: 1, rank })(own.child('cross'), x));
    }),
    1,
  );

/**
 * Multi-gate mixture of experts (Ma et al. 2018, MMoE) with light gates: one thin product for the gates of all tasks, which
 * see the request's surface and view type beside the features.
 *
 * @param x trunk features `[candidates, d]`
 * @param context embeddings of surface and view type `[requests, c]`; null in a model of one surface and view type
 */
export const mixtureOfExperts = (scope: Scope, x: Tensor, context: Tensor | null, tasks: number, options: ExpertOptions, dropout: number): Mixture => {
  const outputs = (options.kind === 'mlp' ? mlpExperts : crossExperts)(scope, x, options, dropout);
  const width = tasks * options.count;
  const fromFeatures = dense(width)(scope.child('gate'), x);
  const scores =
    context === null
      ? fromFeatures
      : add(fromFeatures, broadcastToCandidates(matmul(context, scope.child('gate').parameter('context', [featureWidth(context), width], { type: 'glorot', fanIn: featureWidth(context), fanOut: width }, { decay: true }))));
  const rows = scores.shape[0]!;
  return { outputs, gates: reshape(softmax(reshape(scores, [rows, tasks, options.count]), 2), [rows, width]) };
};

/** One task's mixture of the experts: `[rows, width of an expert]`. */
export const mixForTask = ({ outputs, gates }: Mixture, task: number, experts: number): Tensor => {
  const rows = outputs.shape[0]!;
  const weights = reshape(slice(gates, 1, task * experts, (task + 1) * experts), [rows, experts, 1]);
  return reduceSum(mul(reshape(outputs, [rows, experts, featureWidth(outputs) / experts]), weights), [1]);
};

/** Sum of each task's gate weights over the rows of each part: `[parts, tasks · experts]`; by rows, the load per expert. */
export const expertLoad = (gates: readonly Tensor[]): Tensor => concat(gates.map((own) => reduceSum(own, [0], { keepDims: true })), 0);
