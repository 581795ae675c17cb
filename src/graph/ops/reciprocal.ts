import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { neg } from './neg.js';
import { square } from './square.js';

/** 1 / x. */
export const reciprocal = (x: Tensor): Tensor => elementwise('reciprocal', [x]);

/** `reciprocal`. */
export const reciprocalDefinition: OpDefinition = {
  kind: 'reciprocal',
  gradient: (node, gradient) => [neg(mul(gradient, square(node)))],
  emit: emitAs('Reciprocal'),
};
