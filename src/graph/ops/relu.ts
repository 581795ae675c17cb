import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { sign } from './sign.js';

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => elementwise('relu', [x]);

/** `relu`. The sign of what a relu gives is 1 where it passed and 0 where it did not. */
export const reluDefinition: OpDefinition = {
  kind: 'relu',
  gradient: (node, gradient) => [mul(gradient, sign(node))],
  emit: emitAs('Relu'),
};
