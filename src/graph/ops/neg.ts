import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar, scalarValue } from '../inputs.js';
import type { Tensor } from '../tensor.js';

/** −x. */
export const neg = (x: Tensor): Tensor => {
  const value = scalarValue(x);
  if (value !== undefined) return scalar(-value, x.dtype);
  return x.kind === 'neg' ? x.inputs[0]! : elementwise('neg', [x]);
};

/** `neg`. */
export const negDefinition: OpDefinition = { kind: 'neg', gradient: (_, gradient) => [neg(gradient)], emit: emitAs('Neg') };
