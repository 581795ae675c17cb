import type { OpDefinition } from '../definition.js';
import { GraphError } from '../errors.js';
import { formatShape, normalizeAxes } from '../shapes.js';
import { makeNode, numbersAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/** Inserts axes of size 1 where the result has `axes`. */
export const unsqueeze = (x: Tensor, axes: readonly number[]): Tensor => {
  if (axes.length === 0) return x;
  const normalized = normalizeAxes('unsqueeze', axes, x.shape.length + axes.length);
  const rest = [...x.shape];
  const shape = Array.from({ length: x.shape.length + axes.length }, (_, axis) =>
    normalized.includes(axis) ? 1 : rest.shift()!,
  );
  return makeNode('unsqueeze', x.dtype, shape, [x], { axes: normalized });
};

/** Removes `axes`, each of size 1. */
export const squeeze = (x: Tensor, axes: readonly number[]): Tensor => {
  if (axes.length === 0) return x;
  const normalized = normalizeAxes('squeeze', axes, x.shape.length);
  if (normalized.some((axis) => x.shape[axis] !== 1)) {
    throw new GraphError('shape', `squeeze: axes ${formatShape(normalized)} of ${formatShape(x.shape)} are not all 1`);
  }
  return makeNode('squeeze', x.dtype, x.shape.filter((_, axis) => !normalized.includes(axis)), [x], { axes: normalized });
};

/** `unsqueeze`. */
export const unsqueezeDefinition: OpDefinition = {
  kind: 'unsqueeze',
  gradient: (node, gradient) => [squeeze(gradient, numbersAttribute(node, 'axes'))],
  emit: (node, emitter) =>
    emitter.node('Unsqueeze', [emitter.value(node.inputs[0]!), emitter.int64(numbersAttribute(node, 'axes'))]),
};

/** `squeeze`. */
export const squeezeDefinition: OpDefinition = {
  kind: 'squeeze',
  gradient: (node, gradient) => [unsqueeze(gradient, numbersAttribute(node, 'axes'))],
  emit: (node, emitter) =>
    emitter.node('Squeeze', [emitter.value(node.inputs[0]!), emitter.int64(numbersAttribute(node, 'axes'))]),
};
