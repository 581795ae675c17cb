import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { ONNX_DTYPE } from '../onnx/dtypes.js';
import { makeNode } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => elementwise('relu', [x]);

/** `relu`. */
export const reluDefinition: OpDefinition = {
  kind: 'relu',
  gradient: (node, gradient) => [mul(gradient, makeNode('isPositive', node.dtype, node.shape, [node]))],
  emit: emitAs('Relu'),
};

/** A steep line reaches 1 at the smallest positive normal number. */
const STEEP = 1e38;

/**
 * 1 where what a `relu` gave is above 0, else 0; no gradient flows through it. As a clipped steep line it is one pass
 * where comparing and casting are two: with the product 2.2 ms against 3.4 on 25600 × 128 and 2 threads.
 */
export const isPositiveDefinition: OpDefinition = {
  kind: 'isPositive',
  emit: (node, emitter) => {
    const x = emitter.value(node.inputs[0]!);
    // ONNX Runtime has HardSigmoid for single precision alone.
    if (node.dtype === 'float32') return emitter.node('HardSigmoid', [x], { alpha: { float: STEEP }, beta: { float: 0 } });
    return emitter.node('Cast', [emitter.node('Greater', [x, emitter.constant([0], node.dtype, [])])], { to: { int: ONNX_DTYPE[node.dtype] } });
  },
};
