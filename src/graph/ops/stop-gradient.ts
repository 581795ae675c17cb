import type { OpDefinition } from '../definition.js';
import { makeNode } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/** x itself, but no gradient flows through it. */
export const stopGradient = (x: Tensor): Tensor => makeNode('stopGradient', x.dtype, x.shape, [x]);

/** `stopGradient`. */
export const stopGradientDefinition: OpDefinition = {
  kind: 'stopGradient',
  emit: (node, emitter) => emitter.value(node.inputs[0]!),
};
