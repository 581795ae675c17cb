import type { OpDefinition } from '../definition.js';
import { elementwise, emitAs } from '../elementwise.js';
import type { Tensor } from '../tensor.js';

/** −1, 0 or 1; no gradient flows through it. */
export const sign = (x: Tensor): Tensor => elementwise('sign', [x]);

/** `sign`. */
export const signDefinition: OpDefinition = { kind: 'sign', emit: emitAs('Sign') };
