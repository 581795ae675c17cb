import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { div } from './div.js';
import { mul } from './mul.js';

/** √x; the gradient is infinite at 0. */
export const sqrt = (x: Tensor): Tensor => elementwise('sqrt', [x]);

/** `sqrt`. */
export const sqrtDefinition: OpDefinition = {
  kind: 'sqrt',
  gradient: (node, gradient) => [div(mul(gradient, scalar(0.5, node.dtype)), node)],
  emit: emitAs('Sqrt'),
};
