import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar, scalarValue } from '../inputs.js';
import { sameShape } from '../shapes.js';
import type { Tensor } from '../tensor.js';
import { sumTo } from './reduce-sum.js';

/** a · b elementwise, broadcasting. */
export const mul = (a: Tensor, b: Tensor): Tensor => {
  const [left, right] = [scalarValue(a), scalarValue(b)];
  const product = elementwise('mul', [a, b]);
  if (left !== undefined && right !== undefined) return scalar(left * right, a.dtype);
  if (left === 1 && sameShape(b.shape, product.shape)) return b;
  if (right === 1 && sameShape(a.shape, product.shape)) return a;
  return product;
};

/** `mul`. */
export const mulDefinition: OpDefinition = {
  kind: 'mul',
  gradient: ({ inputs: [a, b] }, gradient) => [sumTo(mul(gradient, b!), a!.shape), sumTo(mul(gradient, a!), b!.shape)],
  emit: emitAs('Mul'),
};
