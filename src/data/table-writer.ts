/** Bulk appends of typed arrays to a DuckDB table: one copy per vector, no value is boxed. */
import { BIGINT, DOUBLE, DuckDBDataChunk, FLOAT, INTEGER, LIST, VARCHAR, type DuckDBAppender, type DuckDBType } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';

/** SQL types a {@link TableWriter} can write. */
export type ColumnType = 'INTEGER' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'VARCHAR' | 'INTEGER[]' | 'FLOAT[]';

/**
 * Values of one column. NaN in FLOAT and DOUBLE columns becomes NULL, and so does a FLOAT[] row that starts with NaN.
 * BIGINT takes whole doubles. Lists: row i is `values[offsets[i] .. offsets[i + 1])`.
 */
export type WriteColumn =
  | Int32Array
  | Float32Array
  | Float64Array
  | readonly (string | null)[]
  | { readonly offsets: Int32Array; readonly values: Int32Array | Float32Array };

export interface TableWriter {
  /** Appends rows `[from, to)` of the columns, given in the table's order. */
  append(columns: readonly WriteColumn[], from: number, to: number): void;
  close(): void;
}

const TYPES: Readonly<Record<ColumnType, DuckDBType>> = {
  INTEGER,
  BIGINT,
  FLOAT,
  DOUBLE,
  VARCHAR,
  'INTEGER[]': LIST(INTEGER),
  'FLOAT[]': LIST(FLOAT),
};

const copyInto = (vector: duckdb.Vector, values: ArrayBufferView): void => {
  if (values.byteLength > 0) duckdb.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
};

/** Marks rows NULL where `missing` says so; leaves the all-valid default alone when none is. */
const writeValidity = (vector: duckdb.Vector, count: number, missing: (row: number) => boolean): void => {
  let bits: Uint8Array | undefined;
  for (let row = 0; row < count; row += 1) {
    if (!missing(row)) continue;
    bits ??= new Uint8Array(Math.ceil(count / 64) * 8).fill(255);
    bits[row >> 3]! &= ~(1 << (row & 7));
  }
  if (bits === undefined) return;
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer as ArrayBuffer, 0, bits.byteLength);
};

const writeBigInts = (vector: duckdb.Vector, values: Float64Array): void => {
  const words = new Int32Array(values.length * 2);
  for (let row = 0; row < values.length; row += 1) {
    const high = Math.floor(values[row]! / 4294967296);
    words[2 * row] = values[row]! - high * 4294967296;
    words[2 * row + 1] = high;
  }
  copyInto(vector, words);
};

const writeLists = (vector: duckdb.Vector, offsets: Int32Array, values: Int32Array | Float32Array, from: number, to: number): void => {
  const first = offsets[from]!;
  const entries = new Uint32Array((to - from) * 4);
  for (let row = from; row < to; row += 1) {
    entries[4 * (row - from)] = offsets[row]! - first;
    entries[4 * (row - from) + 2] = offsets[row + 1]! - offsets[row]!;
  }
  const size = offsets[to]! - first;
  duckdb.list_vector_reserve(vector, size);
  duckdb.list_vector_set_size(vector, size);
  copyInto(duckdb.list_vector_get_child(vector), values.subarray(first, first + size));
  copyInto(vector, entries);
  if (values instanceof Float32Array) {
    writeValidity(vector, to - from, (row) => {
      const at = offsets[from + row]!;
      return offsets[from + row + 1]! > at && Number.isNaN(values[at]);
    });
  }
};

const writeColumn = (vector: duckdb.Vector, type: ColumnType, column: WriteColumn, from: number, to: number): void => {
  if ('offsets' in column) {
    writeLists(vector, column.offsets, column.values, from, to);
  } else if (column instanceof Int32Array) {
    copyInto(vector, column.subarray(from, to));
  } else if (column instanceof Float32Array || column instanceof Float64Array) {
    const values = column.subarray(from, to);
    if (type === 'BIGINT') writeBigInts(vector, values as Float64Array);
    else copyInto(vector, values);
    writeValidity(vector, to - from, (row) => Number.isNaN(values[row]));
  } else {
    for (let row = from; row < to; row += 1) {
      const value = column[row];
      if (value !== null && value !== undefined) duckdb.vector_assign_string_element(vector, row - from, value);
    }
    writeValidity(vector, to - from, (row) => column[from + row] === null);
  }
};

/** A writer over an appender whose table has columns of `types`, in that order. */
export const createTableWriter = (appender: DuckDBAppender, types: readonly ColumnType[]): TableWriter => {
  const chunkRows = duckdb.vector_size();
  const logicalTypes = types.map((type) => TYPES[type]);
  return {
    append(columns, from, to) {
      for (let start = from; start < to; start += chunkRows) {
        const end = Math.min(to, start + chunkRows);
        const chunk = DuckDBDataChunk.create(logicalTypes, end - start);
        types.forEach((type, index) => writeColumn(duckdb.data_chunk_get_vector(chunk.chunk, index), type, columns[index]!, start, end));
        appender.appendDataChunk(chunk);
      }
    },
    close() {
      appender.closeSync();
    },
  };
};
