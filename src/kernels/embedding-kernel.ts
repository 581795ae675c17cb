/**
 * The sparse side of the engine: fused embedding tables, their lookup and their row optimizers, and the passes over dense
 * parameters that a step ends with. Every implementation sums in the same fixed order, so that training is repeatable.
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
  /** `rowCount + 1` ascending list boundaries; absent when `single`. */
  readonly offsets?: Int32Array;
}

/** The gradient of one block `[rowCount, stride]` and the ids that filled it. */
export interface BlockGradient {
  readonly slots: readonly SlotIds[];
  readonly rowCount: number;
  readonly stride: number;
  readonly gradient: Float32Array;
}

/** Which optimizer a table keeps state for. */
export type TableOptimizer = 'adagrad' | 'adam' | 'sgd';

/**
 * Row-wise Adagrad with FBGEMM's semantics: one accumulator a row, `m += mean_d(g²)`,
 * `w = correction·w − learningRate / (√m + epsilon)·g`.
 */
export interface RowWiseAdagrad {
  readonly type: 'adagrad';
  readonly learningRate: number;
  /** Added outside the root. */
  readonly epsilon: number;
  readonly weightDecay: number;
  /** `l2` adds the decay to the gradient that `m` sees; `decoupled` shrinks the weights by `1 − learningRate·weightDecay`. */
  readonly decayMode: 'l2' | 'decoupled';
}

/**
 * Adam with FBGEMM's semantics: two moments an element, bias-corrected with the global step, only rows that were looked up
 * move or decay: `w −= learningRate·(m̂ / (√v̂ + epsilon) + weightDecay·w)`.
 */
export interface RowAdam {
  readonly type: 'adam';
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Added outside the root. */
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Steps taken, this one included: 1 at the first. */
  readonly step: number;
}

/** FBGEMM's EXACT_SGD, equal rows summed first: `w −= learningRate·(g + weightDecay·w)`. */
export interface RowSgd {
  readonly type: 'sgd';
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** One step's settings; `type` must be the table's optimizer. */
export type RowOptimizer = RowWiseAdagrad | RowAdam | RowSgd;

/**
 * A part of a table's state: `weights` `[rows, width]`; `accumulators` `[rows, 1]` (adagrad); `first` and `second`
 * `[rows, width]` (adam).
 */
export interface TablePart {
  readonly name: 'weights' | 'accumulators' | 'first' | 'second';
  readonly width: number;
}

/** What can be looked up. */
export interface LookupTable {
  readonly width: number;
  readonly rows: number;

  /**
   * Fills every slot of a block: `out[row · stride + slot.offset + d]`. Empty lists give zeros.
   *
   * @throws KernelError when an id is outside its table; nothing is written then.
   * @throws KernelUseError when the arrays do not have the sizes that the block needs.
   */
  lookup(slots: readonly SlotIds[], rowCount: number, out: Float32Array, stride: number): void;

  /** Frees its memory; the table cannot be used afterwards. May be called again. */
  close(): void;
}

/** All embedding tables of one width, stored and looked up as one. It may be larger than any typed array. */
export interface EmbeddingTable extends LookupTable {
  /** Undefined: the table only reads, and has no state. */
  readonly optimizer: TableOptimizer | undefined;
  /** Its state, weights first. */
  readonly parts: readonly TablePart[];

  /**
   * Sums the gradients of equal rows over all blocks, in the order of blocks, slots, rows and list entries, then applies
   * one optimizer step to each row that was looked up. Rows that were not are untouched, decay included. The gradient of
   * `max` goes to the first largest entry of each list.
   *
   * @returns the number of distinct rows updated.
   * @throws KernelError when an id is outside its table; nothing is changed then.
   * @throws KernelUseError when the arrays do not have the sizes that the blocks need, or the optimizer is another one.
   */
  update(blocks: readonly BlockGradient[], optimizer: RowOptimizer): number;

  /**
   * Copies rows `[first, first + values.length / part width)` out of the table.
   *
   * @throws KernelUseError when the table has no such part or rows, or `values` does not hold whole rows.
   */
  readRows(part: TablePart['name'], first: number, values: Float32Array): void;

  /** Copies rows into the table, as {@link readRows} copies them out. */
  writeRows(part: TablePart['name'], first: number, values: Float32Array): void;
}

/** Rows of a fused table in a file, little endian, as exports store them. */
export interface TableFile {
  readonly path: string;
  /** Bytes before its first row: a multiple of a weight's. */
  readonly offset: number;
  readonly width: number;
  readonly rows: number;
  readonly precision: 'fp32' | QuantizedPrecision;
  /** int8: bytes before the first row's scale and lowest weight, float32 `[rows, 2]`; a multiple of 4. */
  readonly scalesOffset?: number;
}

/** How a {@link QuantizedTable} stores a weight: half precision, or 8 bits with a scale and an offset per row. */
export type QuantizedPrecision = 'fp16' | 'int8';

/** Rows in reduced precision, for reading only. */
export interface QuantizedTable extends LookupTable {
  readonly precision: QuantizedPrecision;
  /** Bytes of its rows, scales and offsets. */
  readonly bytes: number;
}

/** One Adam or AdamW step on a dense parameter. */
export interface DenseAdamStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Added outside the root. */
  readonly epsilon: number;
  readonly weightDecay: number;
  /** True: `w` shrinks by `1 − learningRate·weightDecay` (AdamW). False: `weightDecay·w` is added to the gradient. */
  readonly decoupled: boolean;
  /** `1 − beta1^step`. */
  readonly firstCorrection: number;
  /** `1 − beta2^step`. */
  readonly secondCorrection: number;
  /** Multiplies the gradient first: what clipping by the global norm left of it. */
  readonly gradientScale: number;
}

/** An implementation of the sparse side. */
export interface EmbeddingKernel {
  readonly name: 'typescript' | 'native';

  /** A table of zeros, with zero state for `optimizer`. */
  createTable(width: number, rows: number, options?: { readonly optimizer?: TableOptimizer | undefined }): EmbeddingTable;

  /** A copy of a table's weights in reduced precision. */
  quantize(table: EmbeddingTable, precision: QuantizedPrecision): QuantizedTable;

  /**
   * Rows of a file, for reading only. The native kernel maps them: opening reads nothing, and processes share what is in memory.
   * The file may be renamed or deleted meanwhile, but must not be cut short: the system ends a process that reads what is gone.
   *
   * @throws KernelUseError when the file is not there or ends before the rows, or their place is not aligned
   */
  mapTable(file: TableFile): LookupTable;

  /** Sum of squares in double precision, in an order that depends on the length alone. */
  squaredNorm(values: Float32Array): number;

  /**
   * One Adam step, in place. Arrays are `[n]`, all of one length.
   *
   * @throws KernelUseError when the lengths differ.
   */
  denseAdam(parameter: Float32Array, first: Float32Array, second: Float32Array, gradient: Float32Array, step: DenseAdamStep): void;
}
