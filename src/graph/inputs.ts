/** The leaves of a graph: what is fed, what is learned, what is fixed. */
import { GraphError } from './errors.js';
import { formatShape } from './shapes.js';
import { makeNode } from './tensor.js';
import type { DType, Dim, Tensor } from './tensor.js';

const checkName = (kind: string, name: string): void => {
  if (name === '') throw new GraphError('name', `${kind}: the name is empty`);
};

/** A graph input, fed in every run. */
export const input = (name: string, dtype: DType, shape: readonly Dim[]): Tensor => {
  checkName('input', name);
  return makeNode('input', dtype, shape, [], {}, name);
};

/** A learned tensor: fed in every run while training, an initializer when serving. */
export const parameter = (name: string, shape: readonly number[], dtype: DType = 'float32'): Tensor => {
  checkName('parameter', name);
  return makeNode('parameter', dtype, shape, [], {}, name);
};

/**
 * Fixed values, row-major.
 * @throws GraphError `shape` when the number of values does not fill the shape.
 */
export const constant = (values: ArrayLike<number>, dtype: DType, shape: readonly number[]): Tensor => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (values.length !== size) {
    throw new GraphError('shape', `constant: ${values.length} values do not fill shape ${formatShape(shape)}`);
  }
  return makeNode('constant', dtype, shape, [], { values: Array.from(values) });
};

/** One fixed value, of rank 0. */
export const scalar = (value: number, dtype: DType = 'float32'): Tensor => constant([value], dtype, []);

/** The value of a rank-0 constant, or undefined for every other tensor. */
export const scalarValue = (tensor: Tensor): number | undefined => {
  if (tensor.kind !== 'constant' || tensor.shape.length > 0) return undefined;
  return (tensor.attributes['values'] as readonly number[])[0];
};
