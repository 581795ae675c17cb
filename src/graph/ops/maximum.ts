import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';
import { cast } from './cast.js';
import { greater } from './comparison.js';
import { mul } from './mul.js';
import { sumTo } from './reduce-sum.js';
import { sub } from './sub.js';

/** The larger of a and b, broadcasting; where they tie the gradient goes to b. */
export const maximum = (a: Tensor, b: Tensor): Tensor => elementwise('maximum', [a, b]);

/** The smaller of a and b, broadcasting; where they tie the gradient goes to b. */
export const minimum = (a: Tensor, b: Tensor): Tensor => elementwise('minimum', [a, b]);

/** Splits a gradient between two operands: to the first where it is chosen, else to the second. */
const split = (gradient: Tensor, a: Tensor, b: Tensor, chosen: Tensor): Tensor[] => {
  const toFirst = mul(gradient, cast(chosen, gradient.dtype));
  return [sumTo(toFirst, a.shape), sumTo(sub(gradient, toFirst), b.shape)];
};

/** `maximum`. */
export const maximumDefinition: OpDefinition = {
  kind: 'maximum',
  gradient: ({ inputs: [a, b] }, gradient) => split(gradient, a!, b!, greater(a!, b!)),
  emit: emitAs('Max'),
};

/** `minimum`. */
export const minimumDefinition: OpDefinition = {
  kind: 'minimum',
  gradient: ({ inputs: [a, b] }, gradient) => split(gradient, a!, b!, greater(b!, a!)),
  emit: emitAs('Min'),
};
