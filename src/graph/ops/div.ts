import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalarValue } from '../inputs.js';
import { sameShape } from '../shapes.js';
import type { Tensor } from '../tensor.js';
import { mul } from './mul.js';
import { neg } from './neg.js';
import { sumTo } from './reduce-sum.js';

/** a / b elementwise, broadcasting. */
export const div = (a: Tensor, b: Tensor): Tensor => {
  const quotient = elementwise('div', [a, b]);
  return scalarValue(b) === 1 && sameShape(a.shape, quotient.shape) ? a : quotient;
};

/** `div`. */
export const divDefinition: OpDefinition = {
  kind: 'div',
  gradient: (node, gradient) => {
    const [a, b] = node.inputs;
    const scaled = div(gradient, b!);
    return [sumTo(scaled, a!.shape), neg(sumTo(mul(scaled, node), b!.shape))];
  },
  emit: emitAs('Div'),
};
