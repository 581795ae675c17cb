/** Joining tensors and splitting rows, each the other's gradient. */
import type { OpDefinition } from '../definition.js';
import { emitDim } from '../emit-shape.js';
import { requireSameDType } from '../elementwise.js';
import { GraphError } from '../errors.js';
import { part } from '../part.js';
import { describeTensor, normalizeAxis } from '../shapes.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Dim, Tensor } from '../tensor.js';
import { slice } from './slice.js';
import { zerosLike } from './zeros-like.js';

const joinedDim = (dims: readonly Dim[]): Dim =>
  dims.every((dim) => typeof dim === 'number') ? dims.reduce((sum, dim) => sum + dim, 0) : dims.join('+');

/**
 * Joins tensors along an axis; the other dims are equal.
 * @param options.dim what the joined axis is called where it is symbolic: joining the parts of `candidates` gives
 * `candidates` again (default `a+b+c`)
 */
export const concat = (tensors: readonly Tensor[], axis: number, options: { readonly dim?: Dim } = {}): Tensor => {
  const [first] = tensors;
  if (first === undefined) throw new GraphError('shape', 'concat: there is nothing to join');
  const dtype = requireSameDType('concat', tensors);
  const along = normalizeAxis('concat', axis, first.shape.length);
  const fits = (tensor: Tensor): boolean =>
    tensor.shape.length === first.shape.length && tensor.shape.every((dim, at) => at === along || dim === first.shape[at]);
  if (!tensors.every(fits)) {
    throw new GraphError('shape', `concat: shapes ${tensors.map(describeTensor).join(' and ')} differ beside axis ${along}`);
  }
  const sum = joinedDim(tensors.map((tensor) => tensor.shape[along]!));
  if (typeof sum === 'number' && options.dim !== undefined && options.dim !== sum) {
    throw new GraphError('shape', `concat: the joined axis has size ${sum}, not ${options.dim}`);
  }
  const dim = options.dim ?? sum;
  if (tensors.length === 1 && first.shape[along] === dim) return first;
  return makeNode('concat', dtype, first.shape.map((own, at) => (at === along ? dim : own)), tensors, { axis: along });
};

/**
 * Cuts x along axis 0 into `sizes.length` consecutive parts.
 * @param sizes int64 `[k]`: rows of each part; their sum is the number of rows; 0 is allowed
 * @param dimNames what axis 0 of each part is called
 */
export const splitRows = (x: Tensor, sizes: Tensor, dimNames: readonly string[]): Tensor[] => {
  if (sizes.dtype !== 'int64' || sizes.shape.length !== 1 || sizes.shape[0] !== dimNames.length || x.shape.length === 0) {
    throw new GraphError(
      'shape',
      `splitRows: sizes are ${describeTensor(sizes)}, expected int64 [${dimNames.length}] for ${describeTensor(x)}`,
    );
  }
  return splitAlong(x, sizes, 0, dimNames);
};

const splitAlong = (x: Tensor, sizes: Tensor, axis: number, dims: readonly Dim[]): Tensor[] => {
  const owner = makeNode('split', x.dtype, x.shape, [x, sizes], { axis, dims });
  return dims.map((dim, index) => part(owner, index, x.dtype, x.shape.map((own, at) => (at === axis ? dim : own))));
};

/** Sizes of tensors along one axis, int64 `[tensors]`. */
const sizesAlong = (tensors: readonly Tensor[], axis: number): Tensor =>
  makeNode('sizesAlong', 'int64', [tensors.length], tensors, { axis });

/** `concat`. */
export const concatDefinition: OpDefinition = {
  kind: 'concat',
  gradient: (node, gradient) => {
    const axis = numberAttribute(node, 'axis');
    const dims = node.inputs.map((tensor) => tensor.shape[axis]!);
    if (dims.some((dim) => typeof dim === 'string')) return splitAlong(gradient, sizesAlong(node.inputs, axis), axis, dims);
    let start = 0;
    return (dims as number[]).map((dim) => {
      start += dim;
      return slice(gradient, axis, start - dim, start);
    });
  },
  emit: (node, emitter) =>
    emitter.node('Concat', node.inputs.map((operand) => emitter.value(operand)), {
      axis: { int: numberAttribute(node, 'axis') },
    }),
};

/** `splitRows`: one node of as many parts as there are sizes. */
export const splitDefinition: OpDefinition = {
  kind: 'split',
  partsGradient: (node, gradients) => {
    const axis = numberAttribute(node, 'axis');
    const x = node.inputs[0]!;
    const dims = node.attributes['dims'] as readonly Dim[];
    const pieces = dims.map((dim, index) => {
      const shape = x.shape.map((own, at) => (at === axis ? dim : own));
      return gradients[index] ?? zerosLike(part(node, index, x.dtype, shape));
    });
    return [concat(pieces, axis, { dim: x.shape[axis]! }), undefined];
  },
  emit: (node, emitter) => {
    const dims = node.attributes['dims'] as readonly Dim[];
    const inputs = node.inputs.map((operand) => emitter.value(operand));
    return emitter.nodes('Split', inputs, dims.map(() => true), { axis: { int: numberAttribute(node, 'axis') } });
  },
};

/** Sizes that a `concat` along a symbolic axis had. */
export const sizesAlongDefinition: OpDefinition = {
  kind: 'sizesAlong',
  emit: (node, emitter) => {
    const axis = numberAttribute(node, 'axis');
    const sizes = node.inputs.map((tensor) => emitDim(emitter, tensor, axis));
    return sizes.length === 1 ? sizes[0]! : emitter.node('Concat', sizes, { axis: { int: 0 } });
  },
};
