import type { TableOptimizer, TablePart } from './embedding-kernel.js';

/** The state that a table of this width keeps for its optimizer, weights first. */
export const partsOf = (width: number, optimizer: TableOptimizer | undefined): readonly TablePart[] => [
  { name: 'weights', width },
  ...(optimizer === 'adagrad' ? [{ name: 'accumulators', width: 1 } as const] : []),
  ...(optimizer === 'adam' ? [{ name: 'first', width } as const, { name: 'second', width } as const] : []),
];
