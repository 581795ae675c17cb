import type { OpDefinition } from '../definition.js';
import { GraphError } from '../errors.js';
import { formatShape } from '../shapes.js';
import { makeNode, numbersAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/** Reorders axes: axis i of the result is axis `perm[i]` of x. */
export const transpose = (x: Tensor, perm: readonly number[]): Tensor => {
  if (perm.length !== x.shape.length || x.shape.some((_, axis) => !perm.includes(axis))) {
    throw new GraphError('shape', `transpose: ${formatShape(perm)} is no order of the axes of ${formatShape(x.shape)}`);
  }
  if (perm.every((from, axis) => from === axis)) return x;
  return makeNode('transpose', x.dtype, perm.map((axis) => x.shape[axis]!), [x], { perm: [...perm] });
};

/** `transpose`. */
export const transposeDefinition: OpDefinition = {
  kind: 'transpose',
  gradient: (node, gradient) => {
    const perm = numbersAttribute(node, 'perm');
    return [transpose(gradient, perm.map((_, axis) => perm.indexOf(axis)))];
  },
  emit: (node, emitter) =>
    emitter.node('Transpose', [emitter.value(node.inputs[0]!)], { perm: { ints: numbersAttribute(node, 'perm') } }),
};
