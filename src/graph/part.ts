/** Ops with several outputs: one node owns them, a `part` node picks each. */
import { makeNode } from './tensor.js';
import type { DType, Dim, Tensor } from './tensor.js';

/** Output `index` of an op of several parts. */
export const part = (owner: Tensor, index: number, dtype: DType, shape: readonly Dim[]): Tensor =>
  makeNode('part', dtype, shape, [owner], { index });
