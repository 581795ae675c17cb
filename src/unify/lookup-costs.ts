import type { Training } from '../config/project.js';
import type { FusedTableLayout, ModelLayout, RowSpace } from '../model/layout.js';
import { shapeCandidates, type BatchShape } from '../model/batch-sizes.js';

const FLOAT_BYTES = 4;

/** Bytes of optimizer state for one embedding row: Adagrad keeps one number a row, Adam two an element. */
const stateBytesPerRow = (width: number, optimizer: Training['embeddingOptimizer']): number =>
  ({ adagrad: 1, adam: 2 * width, sgd: 0 })[optimizer] * FLOAT_BYTES;

export interface TableCost {
  readonly width: number;
  readonly rows: number;
  readonly bytes: number;
  /** Of the optimizer. */
  readonly stateBytes: number;
}

export const tableCost = ({ width, rows }: FusedTableLayout, optimizer: Training['embeddingOptimizer']): TableCost => ({
  width,
  rows,
  bytes: rows * width * FLOAT_BYTES,
  stateBytes: rows * stateBytesPerRow(width, optimizer),
});

/** Bytes that embedding lookups move for a batch. */
export interface LookupBytes {
  /** Rows read from tables and vectors written to blocks. */
  readonly forward: number;
  /** The same, the blocks' gradients read, and every row and its state read and written (before equal rows are grouped). */
  readonly train: number;
}

/** @param meanLength mean list length of a pooled column, per row of its side */
export const lookupBytes = (layout: ModelLayout, shape: BatchShape, meanLength: (column: string) => number, optimizer: Training['embeddingOptimizer']): LookupBytes => {
  const rowsOf = (space: RowSpace): number => {
    if (space === 'request') return shape.requests;
    return space === 'candidate' ? shapeCandidates(shape) : (shape.sequences[space.slice('tokens:'.length)]?.tokens ?? 0);
  };
  let forward = 0;
  let update = 0;
  for (const { rows: space, width, slots } of layout.blocks) {
    const rows = rowsOf(space);
    for (const { column, pooling } of slots) {
      const looked = pooling === 'single' ? rows : rows * meanLength(column);
      forward += (looked + rows) * width * FLOAT_BYTES;
      update += rows * width * FLOAT_BYTES + looked * 2 * (width * FLOAT_BYTES + stateBytesPerRow(width, optimizer));
    }
  }
  return { forward, train: forward + update };
};
