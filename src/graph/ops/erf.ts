import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { exp } from './exp.js';
import { mul } from './mul.js';
import { neg } from './neg.js';
import { square } from './square.js';

/** Error function. */
export const erf = (x: Tensor): Tensor => elementwise('erf', [x]);

/** `erf`: the derivative is 2/√π · e^(−x²). */
export const erfDefinition: OpDefinition = {
  kind: 'erf',
  gradient: ({ inputs: [x] }, gradient) => [
    mul(gradient, mul(exp(neg(square(x!))), scalar(2 / Math.sqrt(Math.PI), x!.dtype))),
  ],
  emit: emitAs('Erf'),
};
