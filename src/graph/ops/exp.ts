import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';

/** eˣ. */
export const exp = (x: Tensor): Tensor => elementwise('exp', [x]);

/** `exp`. */
export const expDefinition: OpDefinition = {
  kind: 'exp',
  gradient: (node, gradient) => [mul(gradient, node)],
  emit: emitAs('Exp'),
};
