import type { OpDefinition } from '../definition.js';
import { requireNumeric } from '../elementwise.js';
import { normalizeAxis } from '../shapes.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/** Sums of the elements up to and including each, along one axis: for counting, so no gradient flows through it. */
export const cumulativeSum = (x: Tensor, axis: number): Tensor => {
  requireNumeric('cumulativeSum', x);
  return makeNode('cumulativeSum', x.dtype, x.shape, [x], { axis: normalizeAxis('cumulativeSum', axis, x.shape.length) });
};

/** `cumulativeSum`. */
export const cumulativeSumDefinition: OpDefinition = {
  kind: 'cumulativeSum',
  emit: (node, emitter) => emitter.node('CumSum', [emitter.value(node.inputs[0]!), emitter.constant([numberAttribute(node, 'axis')], 'int64', [])]),
};
