/** Features of a model by side, and the layers that mix them without computing a request's half once per candidate. */
import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { concat } from '../graph/ops/concat.js';
import { matmul } from '../graph/ops/matmul.js';
import { broadcastToCandidates } from './inputs.js';
import type { ParameterSpec } from './layout.js';
import { featureWidth, type Scope } from './scope.js';

/** A model's features: what is known per request and what is known per candidate. */
export interface SideFeatures {
  /** `[requests, d]`, or null when the model has no request-side feature. */
  readonly request: Tensor | null;
  /** `[candidates, d]`, or null. */
  readonly candidate: Tensor | null;
}

const parts = (sides: SideFeatures): Tensor[] => [sides.request, sides.candidate].filter((side) => side !== null);

/** Width of both sides together. */
const sidesWidth = (sides: SideFeatures): number => parts(sides).reduce((sum, side) => sum + featureWidth(side), 0);

/** Both sides per candidate `[candidates, request width + candidate width]`. */
export const joinSides = (sides: SideFeatures): Tensor => {
  const joined = [...(sides.request === null ? [] : [broadcastToCandidates(sides.request)]), ...(sides.candidate === null ? [] : [sides.candidate])];
  if (joined.length === 0) throw new Error('a model needs at least one feature');
  return concat(joined, 1);
};

/**
 * `W·[u; c]` as `Wu·u + Wc·c` (as in request-level broadcasting): the request's half is computed once per request and
 * only its result is broadcast. W is stored as its two halves, each drawn as part of the whole.
 *
 * @returns `[candidates, width]`
 */
export const multiplySides = (scope: Scope, name: string, sides: SideFeatures, width: number): Tensor => {
  const initializer: ParameterSpec['initializer'] = { type: 'glorot', fanIn: sidesWidth(sides), fanOut: width };
  const half = (side: 'request' | 'candidate', x: Tensor): Tensor => matmul(x, scope.parameter(`${name}.${side}`, [featureWidth(x), width], initializer, { decay: true }));
  const products = [
    ...(sides.request === null ? [] : [broadcastToCandidates(half('request', sides.request))]),
    ...(sides.candidate === null ? [] : [half('candidate', sides.candidate)]),
  ];
  return products.length === 1 ? products[0]! : add(products[0]!, products[1]!);
};
