import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { matmul } from '../graph/ops/matmul.js';
import { relu } from '../graph/ops/relu.js';
import type { ParameterSpec } from './layout.js';
import { featureWidth, type Module } from './scope.js';

/** How a bias starts. */
export const biasStart = (values: readonly number[] | undefined): ParameterSpec['initializer'] => (values === undefined ? { type: 'zeros' } : { type: 'values', values });

/** Affine layer `x·W + b`: Glorot-uniform weights, and a bias that starts at zero or at the values given. */
export const dense =
  (width: number, options: { readonly bias?: readonly number[] } = {}): Module =>
  (scope, x) => {
    const fanIn = featureWidth(x);
    const weight = scope.parameter('weight', [fanIn, width], { type: 'glorot', fanIn, fanOut: width }, { decay: true });
    const bias = scope.parameter('bias', [width], biasStart(options.bias), { decay: false });
    return add(matmul(x, weight), bias);
  };

/** Modules one after the other, each in its own child scope. */
export const sequential =
  (modules: Readonly<Record<string, Module>>): Module =>
  (scope, x) =>
    Object.entries(modules).reduce<Tensor>((features, [name, module]) => module(scope.child(name), features), x);

/** Dense layers with ReLU and dropout; no layer for an empty list. */
export const mlp =
  (widths: readonly number[], options: { readonly dropout: number }): Module =>
  (scope, x) =>
    widths.reduce<Tensor>(
      (features, width, layer) => scope.dropout(relu(dense(width)(scope.child(`dense${layer}`), features)), options.dropout, 'candidate'),
      x,
    );
