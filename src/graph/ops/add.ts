import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar, scalarValue } from '../inputs.js';
import { sameShape } from '../shapes.js';
import type { Tensor } from '../tensor.js';
import { sumTo } from './reduce-sum.js';

/** a + b, broadcasting. */
export const add = (a: Tensor, b: Tensor): Tensor => {
  const [left, right] = [scalarValue(a), scalarValue(b)];
  const sum = elementwise('add', [a, b]);
  if (left !== undefined && right !== undefined) return scalar(left + right, a.dtype);
  if (left === 0 && sameShape(b.shape, sum.shape)) return b;
  if (right === 0 && sameShape(a.shape, sum.shape)) return a;
  return sum;
};

/** `add`. */
export const addDefinition: OpDefinition = {
  kind: 'add',
  gradient: ({ inputs: [a, b] }, gradient) => [sumTo(gradient, a!.shape), sumTo(gradient, b!.shape)],
  emit: emitAs('Add'),
};
