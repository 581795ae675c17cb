import type { OpDefinition } from '../definition.js';
import { isShapeKnown } from '../emit-shape.js';
import { makeNode } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/** Zeros of the dtype and shape of x; no gradient flows through it. */
export const zerosLike = (x: Tensor): Tensor => makeNode('zerosLike', x.dtype, x.shape, isShapeKnown(x.shape) ? [] : [x]);

/** `zerosLike`. */
export const zerosLikeDefinition: OpDefinition = {
  kind: 'zerosLike',
  emit: (node, emitter) => {
    const shape = isShapeKnown(node.shape) ? emitter.int64(node.shape) : emitter.node('Shape', [emitter.value(node.inputs[0]!)]);
    return emitter.node('ConstantOfShape', [shape], { value: { value: 0, dtype: node.dtype } });
  },
};
