/**
 * The sparse side of the engine: fused embedding tables, their lookup and their row-wise optimizer. Every implementation
 * sums in the same fixed order, so that training is repeatable.
 */

/** How the rows of one list become one row: `single` is a plain lookup. */
export type SlotPooling = 'single' | 'sum' | 'mean' | 'max';

/** The ids of one encoded column, and where its vector goes in a block's row. */
export interface SlotIds {
  /** For error messages. */
  readonly column: string;
  /** First row of the column's table in the fused table. */
  readonly base: number;
  /** Rows of the column's table; every id must be in `[0, rows)`. */
  readonly rows: number;
  readonly pooling: SlotPooling;
  /** Floats before it in the block's row. */
  readonly offset: number;
  /** Ids: one a row when `single`, else row i owns `values[offsets[i] .. offsets[i + 1])`. */
  readonly values: Int32Array;
  /** `rowCount + 1` list boundaries; absent when `single`. */
  readonly offsets?: Int32Array;
}

/** The gradient of one block `[rowCount, stride]` and the ids that filled it. */
export interface BlockGradient {
  readonly slots: readonly SlotIds[];
  readonly rowCount: number;
  readonly stride: number;
  readonly gradient: Float32Array;
}

/**
 * Row-wise Adagrad with FBGEMM's semantics: one accumulator a row, `m += mean_d(g²)`,
 * `w = correction·w − learningRate / (√m + epsilon)·g`.
 */
export interface RowWiseAdagrad {
  readonly learningRate: number;
  /** Added outside the root. */
  readonly epsilon: number;
  readonly weightDecay: number;
  /** `l2` adds the decay to the gradient that `m` sees; `decoupled` shrinks the weights by `1 − learningRate·weightDecay`. */
  readonly decayMode: 'l2' | 'decoupled';
}

/** All embedding tables of one width, stored and looked up as one. */
export interface EmbeddingTable {
  readonly width: number;
  readonly rows: number;
  /** `[rows, width]`, row-major. */
  readonly weights: Float32Array;
  /** Row-wise Adagrad's `m`, one a row. */
  readonly accumulators: Float32Array;

  /**
   * Fills every slot of a block: `out[row · stride + slot.offset + d]`. Empty lists give zeros.
   *
   * @throws KernelError when an id is outside its table.
   */
  lookup(slots: readonly SlotIds[], rowCount: number, out: Float32Array, stride: number): void;

  /**
   * Sums the gradients of equal rows over all blocks, in the order of blocks, slots, rows and list entries, then applies
   * one optimizer step to each row that was looked up. Rows that were not are untouched, decay included. The gradient of
   * `max` goes to the first largest entry of each list.
   *
   * @returns the number of distinct rows updated.
   * @throws KernelError when an id is outside its table; nothing is changed then.
   */
  update(blocks: readonly BlockGradient[], optimizer: RowWiseAdagrad): number;
}

/** An implementation of the sparse side. */
export interface EmbeddingKernel {
  readonly name: 'typescript' | 'native';
  /** A table of zeros. */
  createTable(width: number, rows: number): EmbeddingTable;
}
