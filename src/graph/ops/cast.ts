import type { OpDefinition } from '../definition.js';
import { ONNX_DTYPE } from '../onnx/dtypes.js';
import { isFloating, makeNode } from '../tensor.js';
import type { DType, Tensor } from '../tensor.js';

/** Converts elements; the gradient passes between floating dtypes only. */
export const cast = (x: Tensor, dtype: DType): Tensor =>
  x.dtype === dtype ? x : makeNode('cast', dtype, x.shape, [x]);

/** `cast`. */
export const castDefinition: OpDefinition = {
  kind: 'cast',
  gradient: ({ inputs: [x] }, gradient) => [isFloating(x!.dtype) ? cast(gradient, x!.dtype) : undefined],
  emit: (node, emitter) => emitter.node('Cast', [emitter.value(node.inputs[0]!)], { to: { int: ONNX_DTYPE[node.dtype] } }),
};
