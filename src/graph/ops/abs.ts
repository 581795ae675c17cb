import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { sign } from './sign.js';

/** |x|; the gradient at 0 is 0. */
export const abs = (x: Tensor): Tensor => elementwise('abs', [x]);

/** `abs`. */
export const absDefinition: OpDefinition = {
  kind: 'abs',
  gradient: ({ inputs: [x] }, gradient) => [mul(gradient, sign(x!))],
  emit: emitAs('Abs'),
};
