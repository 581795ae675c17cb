import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { sigmoid } from './sigmoid.js';

/** log(1 + eˣ), without overflow. */
export const softplus = (x: Tensor): Tensor => elementwise('softplus', [x]);

/** `softplus`. */
export const softplusDefinition: OpDefinition = {
  kind: 'softplus',
  gradient: ({ inputs: [x] }, gradient) => [mul(gradient, sigmoid(x!))],
  emit: emitAs('Softplus'),
};
