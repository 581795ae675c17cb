/** Columns in memory: what a prepared shard is read into, what batches are cut from, what encoding returns. */

/** One table row per request or candidate. */
export interface IdColumn {
  readonly kind: 'id';
  readonly values: Int32Array;
}

/** A list of table rows per request or candidate: row i owns `values[offsets[i] .. offsets[i + 1])`. */
export interface IdsColumn {
  readonly kind: 'ids';
  readonly offsets: Int32Array;
  readonly values: Int32Array;
}

/** One encoded number per row; NaN where it is missing or its surface lacks the feature. */
export interface NumberColumn {
  readonly kind: 'number';
  readonly values: Float32Array;
}

/** `size` numbers per row, row-major; a row of NaN where it is missing. */
export interface VectorColumn {
  readonly kind: 'vector';
  readonly size: number;
  readonly values: Float32Array;
}

export type Column = IdColumn | IdsColumn | NumberColumn | VectorColumn;

/** Encoded columns by name: a feature's name, or `sequence.field`. */
export type Columns = ReadonlyMap<string, Column>;
