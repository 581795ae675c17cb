/** Row lookup and its gradient, the deterministic sum of rows by index. */
import type { Emitter, OpDefinition } from '../definition.js';
import { emitDim, emitShape, isShapeKnown } from '../emit-shape.js';
import { GraphError } from '../errors.js';
import { ONNX_DTYPE } from '../onnx/dtypes.js';
import { describeTensor, dimProduct, sameShape } from '../shapes.js';
import { makeNode } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/**
 * Up to this many rows their sums are one product with a one-hot matrix, above a sequential scatter. Measured with 4096
 * indices and 2 threads: at width 16 both take 0.4 ms at 64 rows, at width 64 the product wins until about 256.
 */
const ONE_HOT_ROWS = 64;

const requireIndices = (op: string, indices: Tensor): void => {
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32') {
    throw new GraphError('dtype', `${op}: indices are ${describeTensor(indices)}, expected int64 or int32`);
  }
};

/** Rows of x by index: `[...indices, ...row]`. Indices lie in [−rows, rows); negative ones count from the back. */
export const gather = (x: Tensor, indices: Tensor): Tensor => {
  requireIndices('gather', indices);
  if (x.shape.length === 0) throw new GraphError('shape', `gather: ${describeTensor(x)} has no rows`);
  return makeNode('gather', x.dtype, [...indices.shape, ...x.shape.slice(1)], [x, indices]);
};

/**
 * For every row of `like`, the sum of the `updates` whose index it is; zero where none is. Sums in a fixed order.
 * @param updates `[...indices, ...row]`
 * @param like gives the shape of the result: `[rows, ...row]`
 */
export const scatterRows = (updates: Tensor, indices: Tensor, like: Tensor): Tensor => {
  requireIndices('scatterRows', indices);
  if (like.shape.length === 0 || !sameShape(updates.shape, [...indices.shape, ...like.shape.slice(1)])) {
    throw new GraphError(
      'shape',
      `scatterRows: updates ${describeTensor(updates)} do not fit indices ${describeTensor(indices)} and ${describeTensor(like)}`,
    );
  }
  return makeNode('scatterRows', updates.dtype, like.shape, [updates, indices, like]);
};

/** `gather`. A table stored in fewer bits is looked up as stored; only the rows found are widened. */
export const gatherDefinition: OpDefinition = {
  kind: 'gather',
  gradient: ({ inputs: [x, indices] }, gradient) => [scatterRows(gradient, indices!, x!), undefined],
  emit: (node, emitter) => {
    const indices = emitter.value(node.inputs[1]!);
    return emitter.storedRows(node.inputs[0]!, (rows) => emitter.node('Gather', [rows, indices], { axis: { int: 0 } }));
  },
};

/** `scatterRows`: a scatter with duplicate indices is exact only where ONNX Runtime keeps it on one thread. */
export const scatterRowsDefinition: OpDefinition = {
  kind: 'scatterRows',
  gradient: ({ inputs: [, indices] }, gradient) => [gather(gradient, indices!), undefined, undefined],
  reads: ({ inputs: [updates, indices, like] }) => [updates!, indices!, ...(isShapeKnown(like!.shape) ? [] : [like!])],
  emit: (node, emitter) => {
    const [updates, indices, like] = node.inputs as [Tensor, Tensor, Tensor];
    const width = dimProduct(like.shape.slice(1));
    const rows = like.shape[0]!;
    if (typeof width === 'string') {
      throw new GraphError('emit', `scatterRows: rows of ${describeTensor(like)} have a symbolic size`);
    }
    const index = emitter.node('Reshape', [emitIndices(indices, emitter), emitter.int64([-1, 1])]);
    const flat = emitter.node('Reshape', [emitter.value(updates), emitter.int64([-1, width])]);
    const sums =
      typeof rows === 'number' && rows <= ONE_HOT_ROWS
        ? emitOneHotSums(flat, index, rows, node, emitter)
        : emitScatter(flat, index, width, node, emitter);
    return like.shape.length === 2 ? sums : emitter.node('Reshape', [sums, emitShape(emitter, like.shape, like)]);
  },
};

const emitIndices = (indices: Tensor, emitter: Emitter): string =>
  indices.dtype === 'int64' ? emitter.value(indices) : emitter.node('Cast', [emitter.value(indices)], { to: { int: ONNX_DTYPE.int64 } });

const emitOneHotSums = (updates: string, index: string, rows: number, node: Tensor, emitter: Emitter): string => {
  const positive = emitter.node('Mod', [index, emitter.int64([rows])]);
  const ids = emitter.constant(Array.from({ length: rows }, (_, row) => row), 'int64', [1, rows]);
  const oneHot = emitter.node('Cast', [emitter.node('Equal', [positive, ids])], {
    to: { int: ONNX_DTYPE[node.dtype] },
  });
  if (emitter.allowContrib && node.dtype === 'float32') {
    return emitter.node('FusedMatMul', [oneHot, updates], { transA: { int: 1 } }, 'com.microsoft');
  }
  return emitter.node('MatMul', [emitter.node('Transpose', [oneHot], { perm: { ints: [1, 0] } }), updates]);
};

const emitScatter = (updates: string, index: string, width: number, node: Tensor, emitter: Emitter): string => {
  const like = node.inputs[2]!;
  const rows = typeof node.shape[0] === 'number' ? emitter.int64([node.shape[0]]) : emitDim(emitter, like, 0);
  const shape = emitter.node('Concat', [rows, emitter.int64([width])], { axis: { int: 0 } });
  const zeros = emitter.node('ConstantOfShape', [shape], { value: { value: 0, dtype: node.dtype } });
  const wide = emitter.node('Expand', [index, emitter.int64([1, width])]);
  return emitter.node('ScatterElements', [zeros, wide, updates], { axis: { int: 0 }, reduction: { text: 'add' } });
};
