import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { square } from './square.js';
import { sub } from './sub.js';

/** Hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => elementwise('tanh', [x]);

/** `tanh`. */
export const tanhDefinition: OpDefinition = {
  kind: 'tanh',
  gradient: (node, gradient) => [mul(gradient, sub(scalar(1, node.dtype), square(node)))],
  emit: emitAs('Tanh'),
};
