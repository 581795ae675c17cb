import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalarValue } from '../inputs.js';
import { sameShape } from '../shapes.js';
import type { Tensor } from '../tensor.js';
import { neg } from './neg.js';
import { sumTo } from './reduce-sum.js';

/** a − b, broadcasting. */
export const sub = (a: Tensor, b: Tensor): Tensor => {
  const difference = elementwise('sub', [a, b]);
  return scalarValue(b) === 0 && sameShape(a.shape, difference.shape) ? a : difference;
};

/** `sub`. */
export const subDefinition: OpDefinition = {
  kind: 'sub',
  gradient: ({ inputs: [a, b] }, gradient) => [sumTo(gradient, a!.shape), neg(sumTo(gradient, b!.shape))],
  emit: emitAs('Sub'),
};
