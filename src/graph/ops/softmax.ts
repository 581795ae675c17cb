import type { OpDefinition } from '../definition.js';
import { requireNumeric } from '../elementwise.js';
import { normalizeAxis } from '../shapes.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { reduceSum } from './reduce-sum.js';
import { sub } from './sub.js';

/** eˣ / Σ eˣ along one axis, without overflow. */
export const softmax = (x: Tensor, axis: number): Tensor => {
  requireNumeric('softmax', x);
  return makeNode('softmax', x.dtype, x.shape, [x], { axis: normalizeAxis('softmax', axis, x.shape.length) });
};

/** `softmax`: dx = y·(g − Σ g·y). */
export const softmaxDefinition: OpDefinition = {
  kind: 'softmax',
  gradient: (node, gradient) => {
    const total = reduceSum(mul(gradient, node), [numberAttribute(node, 'axis')], { keepDims: true });
    return [mul(node, sub(gradient, total))];
  },
  emit: (node, emitter) =>
    emitter.node('Softmax', [emitter.value(node.inputs[0]!)], { axis: { int: numberAttribute(node, 'axis') } }),
};
