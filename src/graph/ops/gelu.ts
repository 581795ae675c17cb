import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import { scalar } from '../inputs.js';
import type { Tensor } from '../tensor.js';
import { add } from './add.js';
import { erf } from './erf.js';
import { exp } from './exp.js';
import { mul } from './mul.js';
import { square } from './square.js';

/** x·Φ(x), Φ the normal distribution function: the exact Gaussian error linear unit (Hendrycks & Gimpel 2016). */
export const gelu = (x: Tensor): Tensor => elementwise('gelu', [x]);

/** `gelu`: the derivative is Φ(x) + x·φ(x). */
export const geluDefinition: OpDefinition = {
  kind: 'gelu',
  gradient: ({ inputs: [x] }, gradient) => {
    const number = (value: number): Tensor => scalar(value, x!.dtype);
    const distribution = add(mul(erf(mul(x!, number(Math.SQRT1_2))), number(0.5)), number(0.5));
    const density = mul(exp(mul(square(x!), number(-0.5))), number(1 / Math.sqrt(2 * Math.PI)));
    return [mul(gradient, add(distribution, mul(x!, density)))];
  },
  emit: emitAs('Gelu', { approximate: { text: 'none' } }),
};
