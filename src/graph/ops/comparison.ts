import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';

/** a > b as bool, broadcasting; no gradient flows through it. */
export const greater = (a: Tensor, b: Tensor): Tensor => elementwise('greater', [a, b], 'bool');

/** a = b as bool, broadcasting; no gradient flows through it. */
export const equal = (a: Tensor, b: Tensor): Tensor => elementwise('equal', [a, b], 'bool');

/** `greater`. */
export const greaterDefinition: OpDefinition = { kind: 'greater', emit: emitAs('Greater') };

/** `equal`. */
export const equalDefinition: OpDefinition = { kind: 'equal', emit: emitAs('Equal') };
