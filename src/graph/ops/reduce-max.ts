import type { OpDefinition } from '../definition.js';
import { requireNumeric } from '../elementwise.js';
import { normalizeAxes } from '../shapes.js';
import { booleanAttribute, makeNode, numbersAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
import { div } from './div.js';
import { mul } from './mul.js';
import { reduceSum, reducedShape } from './reduce-sum.js';
import { unsqueeze } from './squeeze.js';

/** Maximum over `axes`, which vanish unless `keepDims`; elements that tie share the gradient evenly. */
export const reduceMax = (x: Tensor, axes: readonly number[], options: { readonly keepDims?: boolean } = {}): Tensor => {
  const { keepDims = false } = options;
  requireNumeric('reduceMax', x);
  if (axes.length === 0) return x;
  const normalized = normalizeAxes('reduceMax', axes, x.shape.length);
  return makeNode('reduceMax', x.dtype, reducedShape(x.shape, normalized, keepDims), [x], { axes: normalized, keepDims });
};

/** `reduceMax`. */
export const reduceMaxDefinition: OpDefinition = {
  kind: 'reduceMax',
  gradient: (node, gradient) => {
    const x = node.inputs[0]!;
    const axes = numbersAttribute(node, 'axes');
    const kept = (tensor: Tensor): Tensor => (booleanAttribute(node, 'keepDims') ? tensor : unsqueeze(tensor, axes));
    const largest = cast(equal(x, kept(node)), x.dtype);
    return [mul(largest, div(kept(gradient), reduceSum(largest, axes, { keepDims: true })))];
  },
  emit: (node, emitter) =>
    emitter.node('ReduceMax', [emitter.value(node.inputs[0]!), emitter.int64(numbersAttribute(node, 'axes'))], {
      keepdims: { int: booleanAttribute(node, 'keepDims') ? 1 : 0 },
    }),
};
