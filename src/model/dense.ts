import type { Tensor } from '../graph/tensor.js';
import { add } from '../graph/ops/add.js';
import { matmul } from '../graph/ops/matmul.js';
import { relu } from '../graph/ops/relu.js';
import { featureWidth, type Module } from './scope.js';

/** Affine layer `x·W + b`, Glorot-uniform weights, zero bias. */
export const dense =
  (width: number): Module =>
  (scope, x) => {
    const fanIn = featureWidth(x);
    const weight = scope.parameter('weight', [fanIn, width], { type: 'glorot', fanIn, fanOut: width }, { decay: true });
    const bias = scope.parameter('bias', [width], { type: 'zeros' }, { decay: false });
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
