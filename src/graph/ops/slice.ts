/** Slicing and padding with zeros, each the other's gradient. */
import type { OpDefinition } from '../definition.js';
import { GraphError } from '../errors.js';
import { formatShape, normalizeAxis } from '../shapes.js';
import { makeNode, numberAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/**
 * Elements `start` (inclusive) to `end` (exclusive) along an axis of known size; negative bounds count from the back.
 * @throws GraphError `shape` when the bounds lie outside, or the size is symbolic.
 */
export const slice = (x: Tensor, axis: number, start: number, end: number): Tensor => {
  const along = normalizeAxis('slice', axis, x.shape.length);
  const size = x.shape[along]!;
  if (typeof size === 'string') {
    throw new GraphError('shape', `slice: axis ${along} of ${formatShape(x.shape)} is symbolic; use splitRows`);
  }
  const [from, to] = [start < 0 ? start + size : start, end < 0 ? end + size : end];
  if (from < 0 || to < from || to > size) {
    throw new GraphError('shape', `slice: ${start} to ${end} lies outside axis ${along} of ${formatShape(x.shape)}`);
  }
  if (from === 0 && to === size) return x;
  const shape = x.shape.map((dim, position) => (position === along ? to - from : dim));
  return makeNode('slice', x.dtype, shape, [x], { axis: along, start: from, end: to });
};

/** Adds `before` and `after` zeros along an axis of known size. */
export const pad = (x: Tensor, axis: number, before: number, after: number): Tensor => {
  const along = normalizeAxis('pad', axis, x.shape.length);
  const size = x.shape[along]!;
  if (typeof size === 'string' || before < 0 || after < 0) {
    throw new GraphError('shape', `pad: axis ${along} of ${formatShape(x.shape)} cannot grow by ${before} and ${after}`);
  }
  if (before === 0 && after === 0) return x;
  const shape = x.shape.map((dim, position) => (position === along ? before + size + after : dim));
  return makeNode('pad', x.dtype, shape, [x], { axis: along, before, after });
};

/** `slice`. */
export const sliceDefinition: OpDefinition = {
  kind: 'slice',
  gradient: (node, gradient) => {
    const axis = numberAttribute(node, 'axis');
    const size = node.inputs[0]!.shape[axis] as number;
    return [pad(gradient, axis, numberAttribute(node, 'start'), size - numberAttribute(node, 'end'))];
  },
  emit: (node, emitter) =>
    emitter.node('Slice', [
      emitter.value(node.inputs[0]!),
      emitter.int64([numberAttribute(node, 'start')]),
      emitter.int64([numberAttribute(node, 'end')]),
      emitter.int64([numberAttribute(node, 'axis')]),
    ]),
};

/** `pad`. */
export const padDefinition: OpDefinition = {
  kind: 'pad',
  gradient: (node, gradient) => {
    const axis = numberAttribute(node, 'axis');
    const before = numberAttribute(node, 'before');
    return [slice(gradient, axis, before, before + (node.inputs[0]!.shape[axis] as number))];
  },
  emit: (node, emitter) =>
    emitter.node('Pad', [
      emitter.value(node.inputs[0]!),
      emitter.int64([numberAttribute(node, 'before'), numberAttribute(node, 'after')]),
      '',
      emitter.int64([numberAttribute(node, 'axis')]),
    ]),
};
