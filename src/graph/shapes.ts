/** Shape arithmetic with symbolic dims: two symbolic dims are equal when their names are. */
import { GraphError } from './errors.js';
import type { Dim, Tensor } from './tensor.js';

/** `[candidates, 16]`. */
export const formatShape = (shape: readonly Dim[]): string => `[${shape.join(', ')}]`;

/** `float32 [candidates, 16]`, with the name where there is one. */
export const describeTensor = (tensor: Tensor): string =>
  `${tensor.name === undefined ? '' : `${tensor.name}: `}${tensor.dtype} ${formatShape(tensor.shape)}`;

/** Whether both shapes have the same dims. */
export const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/** NumPy broadcasting of several shapes; throws a `shape` error that names the op and the shapes. */
export const broadcastShapes = (op: string, shapes: readonly (readonly Dim[])[]): Dim[] => {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[axis - (rank - shape.length)] ?? 1;
      if (dim === 1 || dim === result) continue;
      if (result !== 1) {
        throw new GraphError('shape', `${op}: shapes ${shapes.map(formatShape).join(' and ')} do not broadcast`);
      }
      result = dim;
    }
    return result;
  });
};

/** An axis counted from the front; negative ones count from the back. */
export const normalizeAxis = (op: string, axis: number, rank: number): number => {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank) {
    throw new GraphError('shape', `${op}: axis ${axis} is out of range for rank ${rank}`);
  }
  return normalized;
};

/** Axes counted from the front, ascending, each once. */
export const normalizeAxes = (op: string, axes: readonly number[], rank: number): number[] => {
  const normalized = axes.map((axis) => normalizeAxis(op, axis, rank)).sort((a, b) => a - b);
  if (new Set(normalized).size !== normalized.length) {
    throw new GraphError('shape', `${op}: axes ${formatShape(axes)} name one axis twice`);
  }
  return normalized;
};

/** Product of dims: a number where all are known, else a canonical symbolic name such as `requests*50`. */
export const dimProduct = (dims: readonly Dim[]): Dim => {
  const known = dims.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
  const names = dims.filter((dim) => typeof dim === 'string').flatMap((dim) => dim.split('*'));
  const numbers = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const symbols = names.filter((name) => !/^\d+$/.test(name)).sort();
  const factor = numbers.reduce((product, value) => product * value, known);
  if (symbols.length === 0 || factor === 0) return factor;
  return [...symbols, ...(factor === 1 ? [] : [String(factor)])].join('*');
};
