import type { OpDefinition } from '../definition.js';
import { requireNumeric } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { equal } from './comparison.js';
import { mul } from './mul.js';

/** x bounded to [min, max]; the gradient passes where x lies within, bounds included. */
export const clip = (x: Tensor, min: number, max: number): Tensor => {
  requireNumeric('clip', x);
  if (!(min <= max)) throw new GraphError('shape', `clip: min ${min} is above max ${max}`);
  return makeNode('clip', x.dtype, x.shape, [x], { min, max });
};

/** `clip`. */
export const clipDefinition: OpDefinition = {
  kind: 'clip',
  gradient: (node, gradient) => [mul(gradient, cast(equal(node, node.inputs[0]!), node.dtype))],
  emit: (node, emitter) =>
    emitter.node('Clip', [
      emitter.value(node.inputs[0]!),
      emitter.constant([numberAttribute(node, 'min')], node.dtype, []),
      emitter.constant([numberAttribute(node, 'max')], node.dtype, []),
    ]),
};
