import type { OpDefinition } from '../definition.js';
import { elementwise } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';

/** x². */
export const square = (x: Tensor): Tensor => elementwise('square', [x]);

/** `square`. */
export const squareDefinition: OpDefinition = {
  kind: 'square',
  gradient: ({ inputs: [x] }, gradient) => [mul(gradient, mul(scalar(2, x!.dtype), x!))],
  emit: ({ inputs: [x] }, emitter) => emitter.node('Mul', [emitter.value(x!), emitter.value(x!)]),
};
