import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { matmul } from '../graph/ops/matmul.js';
import { relu } from '../graph/ops/relu.js';
import type { ParameterSpec } from './layout.js';
import { featureWidth, type Module, type Scope } from './scope.js';
import { joinSides, multiplySides, type SideFeatures } from './sides.js';

/** How a bias starts. */
export const biasStart = (values: readonly number[] | undefined): ParameterSpec['initializer'] => (values === undefined ? { type: 'zeros' } : { type: 'values', values });

/** `x·W`, Glorot-uniform, without a bias: where a sum over many rows for its gradient buys nothing. */
export const linear =
  (width: number): Module =>
  (scope, x) => {
    const fanIn = featureWidth(x);
    return matmul(x, scope.parameter('weight', [fanIn, width], { type: 'glorot', fanIn, fanOut: width }, { decay: true }));
  };

/** Affine layer `x·W + b`: Glorot-uniform weights, and a bias that starts at zero or at the values given. */
export const dense =
  (width: number, options: { readonly bias?: readonly number[] } = {}): Module =>
  (scope, x) => {
    const product = linear(width)(scope, x);
    return add(product, scope.parameter('bias', [width], biasStart(options.bias), { decay: false }));
  };

/** Modules one after the other, each in its own child scope. */
export const sequential =
  (modules: Readonly<Record<string, Module>>): Module =>
  (scope, x) =>
    Object.entries(modules).reduce<Tensor>((features, [name, module]) => module(scope.child(name), features), x);

const hiddenLayers = (scope: Scope, start: Tensor, widths: readonly number[], dropout: number, from: number): Tensor =>
  widths.slice(from).reduce<Tensor>((features, width, index) => scope.dropout(relu(dense(width)(scope.child(`dense${from + index}`), features)), dropout, 'candidate'), start);

/** Dense layers with ReLU and dropout; no layer for an empty list. */
export const mlp =
  (widths: readonly number[], options: { readonly dropout: number }): Module =>
  (scope, x) =>
    hiddenLayers(scope, x, widths, options.dropout, 0);

/** {@link mlp} of both sides' features, with the first layer's product split by side. */
export const mlpSides = (scope: Scope, sides: SideFeatures, widths: readonly number[], options: { readonly dropout: number }): Tensor => {
  const [width] = widths;
  if (width === undefined) return joinSides(sides);
  const own = scope.child('dense0');
  const bias = own.parameter('bias', [width], { type: 'zeros' }, { decay: false });
  const first = scope.dropout(relu(add(multiplySides(own, 'weight', sides, width), bias)), options.dropout, 'candidate');
  return hiddenLayers(scope, first, widths, options.dropout, 1);
};
