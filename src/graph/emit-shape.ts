/** Shapes as values of the running graph. */
import type { Emitter } from './definition.js';
import { GraphError } from './errors.js';
import type { Dim, Tensor } from './tensor.js';

/** Whether no dim waits for the run. */
export const isShapeKnown = (shape: readonly Dim[]): shape is readonly number[] => shape.every((dim) => typeof dim === 'number');

/** One dim of a tensor as int64 [1], read when the graph runs. */
export const emitDim = (emitter: Emitter, tensor: Tensor, axis: number): string =>
  emitter.node('Shape', [emitter.value(tensor)], { start: { int: axis }, end: { int: axis + 1 } });

/** A shape as int64 [rank]: a constant where all dims are known, else symbolic dims are read from `like`. */
export const emitShape = (emitter: Emitter, shape: readonly Dim[], like: Tensor | undefined): string => {
  if (isShapeKnown(shape)) return emitter.int64(shape);
  const pieces = shape.map((dim) => {
    if (typeof dim === 'number') return emitter.int64([dim]);
    const axis = like?.shape.indexOf(dim) ?? -1;
    if (like === undefined || axis < 0) throw new GraphError('emit', `dim ${dim} has no tensor to be read from`);
    return emitDim(emitter, like, axis);
  });
  return pieces.length === 1 ? pieces[0]! : emitter.node('Concat', pieces, { axis: { int: 0 } });
};
