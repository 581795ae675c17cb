import type { OpDefinition } from '../definition.js';
import { emitDim } from '../emit-shape.js';
import { normalizeAxes } from '../shapes.js';
import { makeNode, numbersAttribute } from '../tensor.js';
import type { DType, Tensor } from '../tensor.js';
import { ONNX_DTYPE } from '../onnx/dtypes.js';
import { constant } from '../inputs.js';

/** How many elements x has along `axes`, as a rank-0 tensor; read when the graph runs where a dim is symbolic. */
export const sizeOf = (x: Tensor, axes: readonly number[], dtype: DType = 'float32'): Tensor => {
  const normalized = normalizeAxes('sizeOf', axes, x.shape.length);
  const symbolic = normalized.filter((axis) => typeof x.shape[axis] === 'string');
  const known = normalized.reduce((product, axis) => {
    const dim = x.shape[axis]!;
    return typeof dim === 'number' ? product * dim : product;
  }, 1);
  if (symbolic.length === 0) return constant([known], dtype, []);
  return makeNode('sizeOf', dtype, [], [x], { axes: symbolic, known });
};

/** `sizeOf`. */
export const sizeOfDefinition: OpDefinition = {
  kind: 'sizeOf',
  emit: (node, emitter) => {
    const dims = numbersAttribute(node, 'axes').map((axis) => emitDim(emitter, node.inputs[0]!, axis));
    const known = node.attributes['known'] as number;
    const factors = known === 1 ? dims : [...dims, emitter.int64([known])];
    const size = factors.reduce((product, factor) => emitter.node('Mul', [product, factor]));
    const flat = emitter.node('Squeeze', [size, emitter.int64([0])]);
    return node.dtype === 'int64' ? flat : emitter.node('Cast', [flat], { to: { int: ONNX_DTYPE[node.dtype] } });
  },
};
