import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { sub } from './sub.js';

/** 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => elementwise('sigmoid', [x]);

/** `sigmoid`. */
export const sigmoidDefinition: OpDefinition = {
  kind: 'sigmoid',
  gradient: (node, gradient) => [mul(gradient, mul(node, sub(scalar(1, node.dtype), node)))],
  emit: emitAs('Sigmoid'),
};
