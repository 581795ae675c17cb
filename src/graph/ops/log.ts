import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { div } from './div.js';

/** Natural logarithm. */
export const log = (x: Tensor): Tensor => elementwise('log', [x]);

/** `log`. */
export const logDefinition: OpDefinition = {
  kind: 'log',
  gradient: ({ inputs: [x] }, gradient) => [div(gradient, x!)],
  emit: emitAs('Log'),
};
