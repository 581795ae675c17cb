/** Raw values as DuckDB hands them over, column by column and without boxing numbers. */
import duckdb from '@duckdb/node-bindings';
import { DuckDBVector } from '@duckdb/node-api';
import { fromInt64 } from './int64.js';

/** Numbers: integers that a double holds exactly, floats, decimals, booleans as 0 and 1. */
export interface RawNumbers {
  readonly type: 'number';
  readonly values: Float64Array | Float32Array | Int32Array;
  /** False where the value is NULL; `values[i]` means nothing there. */
  readonly valid: (row: number) => boolean;
}

/** Text, and everything that is neither number nor list, as text. Integers beyond ±2^53 arrive as text too. */
export interface RawStrings {
  readonly type: 'string';
  readonly values: readonly (string | null)[];
}

/** Lists: row i owns `child[offsets[i] .. offsets[i + 1])`; empty where the list is NULL. */
export interface RawLists {
  readonly type: 'list';
  readonly offsets: Int32Array;
  readonly valid: (row: number) => boolean;
  readonly child: RawColumn;
}

export type RawColumn = RawNumbers | RawStrings | RawLists;

type Valid = (row: number) => boolean;

const always: Valid = () => true;

/** Copies `vector`'s first `bytes` bytes: DuckDB frees its own with the chunk. */
const copyBytes = (vector: duckdb.Vector, bytes: number): ArrayBuffer => {
  const copy = new Uint8Array(bytes);
  if (bytes > 0) copy.set(duckdb.vector_get_data(vector, bytes));
  return copy.buffer;
};

const readValidity = (vector: duckdb.Vector, count: number): Valid => {
  if (count === 0) return always;
  const bytes = duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8) as Uint8Array | null;
  if (bytes === null) return always;
  const bits = Uint8Array.from(bytes);
  return (row) => ((bits[row >> 3]! >> (row & 7)) & 1) === 1;
};

const utf8 = new TextDecoder();

/** Decodes UTF-8; short ASCII without the decoder, whose call costs more than the loop. */
const decode = (bytes: Uint8Array, from: number, length: number): string => {
  if (length <= 48) {
    let ascii = '';
    let seen = 0;
    for (let i = from; i < from + length; i += 1) {
      seen |= bytes[i]!;
      ascii += String.fromCharCode(bytes[i]!);
    }
    if (seen < 128) return ascii;
  }
  return utf8.decode(bytes.subarray(from, from + length));
};

/** Reads `string_t` values: 4 bytes of length, then 12 bytes inline or a prefix and a pointer. */
const readStrings = (vector: duckdb.Vector, count: number): RawStrings => {
  const valid = readValidity(vector, count);
  const values = new Array<string | null>(count);
  if (count === 0) return { type: 'string', values };
  const data = duckdb.vector_get_data(vector, count * 16);
  const lengths = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let row = 0; row < count; row += 1) {
    if (!valid(row)) {
      values[row] = null;
      continue;
    }
    const length = lengths.getUint32(row * 16, true);
    values[row] =
      length <= 12
        ? decode(data, row * 16 + 4, length)
        : decode(duckdb.get_data_from_pointer(data.buffer as ArrayBuffer, data.byteOffset + row * 16 + 8, length), 0, length);
  }
  return { type: 'string', values };
};

const readIntegers64 = (vector: duckdb.Vector, count: number, signed: boolean): RawColumn =>
  fromInt64(copyBytes(vector, count * 8), 0, count, signed, readValidity(vector, count));

const readIntegers128 = (vector: duckdb.Vector, count: number, signed: boolean): RawColumn => {
  const valid = readValidity(vector, count);
  const buffer = copyBytes(vector, count * 16);
  const low = new BigUint64Array(buffer);
  const high = signed ? new BigInt64Array(buffer) : low;
  const exact = Array.from({ length: count }, (_, row) => (high[2 * row + 1]! << 64n) + low[2 * row]!);
  const fits = exact.every((value, row) => !valid(row) || (value <= 9007199254740991n && value >= -9007199254740991n));
  return fits
    ? { type: 'number', values: Float64Array.from(exact, (value, row) => (valid(row) ? Number(value) : 0)), valid }
    : { type: 'string', values: exact.map((value, row) => (valid(row) ? value.toString() : null)) };
};

const readDecimals = (vector: duckdb.Vector, count: number, type: duckdb.LogicalType): RawColumn => {
  const scale = 10 ** duckdb.decimal_scale(type);
  const unscaled = readAs(vector, count, duckdb.decimal_internal_type(type), type);
  if (unscaled.type === 'number') {
    return { type: 'number', values: Float64Array.from(unscaled.values, (value) => value / scale), valid: unscaled.valid };
  }
  const values = (unscaled as RawStrings).values;
  return {
    type: 'number',
    values: Float64Array.from(values, (value) => Number(value ?? 0) / scale),
    valid: (row) => values[row] !== null,
  };
};

const takeRows = (column: RawColumn, rows: Int32Array): RawColumn => {
  if (column.type === 'string') return { type: 'string', values: Array.from(rows, (row) => column.values[row] ?? null) };
  const valid: Valid = (row) => column.valid(rows[row]!);
  if (column.type === 'number') return { type: 'number', values: Float64Array.from(rows, (row) => column.values[row]!), valid };
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => (offsets[i + 1] = offsets[i]! + column.offsets[row + 1]! - column.offsets[row]!));
  const taken = new Int32Array(offsets[rows.length]!);
  rows.forEach((row, i) => {
    for (let k = offsets[i]!; k < offsets[i + 1]!; k += 1) taken[k] = column.offsets[row]! + k - offsets[i]!;
  });
  return { type: 'list', offsets, valid, child: takeRows(column.child, taken) };
};

const readLists = (vector: duckdb.Vector, count: number): RawLists => {
  const valid = readValidity(vector, count);
  const entries = new Uint32Array(copyBytes(vector, count * 16));
  const childCount = duckdb.list_vector_get_size(vector);
  const child = readVector(duckdb.list_vector_get_child(vector), childCount);
  const offsets = new Int32Array(count + 1);
  let contiguous = true;
  for (let row = 0; row < count; row += 1) {
    const length = valid(row) ? entries[4 * row + 2]! : 0;
    if (length > 0 && entries[4 * row] !== offsets[row]) contiguous = false;
    offsets[row + 1] = offsets[row]! + length;
  }
  if (contiguous) return { type: 'list', offsets, valid, child };
  // Expressions may share or reorder list entries; rows are laid out again so that offsets suffice.
  const rows = new Int32Array(offsets[count]!);
  for (let row = 0; row < count; row += 1) {
    for (let k = offsets[row]!; k < offsets[row + 1]!; k += 1) rows[k] = entries[4 * row]! + k - offsets[row]!;
  }
  return { type: 'list', offsets, valid, child: takeRows(child, rows) };
};

const readArrays = (vector: duckdb.Vector, count: number, type: duckdb.LogicalType): RawLists => {
  const size = duckdb.array_type_array_size(type);
  const valid = readValidity(vector, count);
  const child = readVector(duckdb.array_vector_get_child(vector), count * size);
  return { type: 'list', offsets: Int32Array.from({ length: count + 1 }, (_, row) => row * size), valid, child };
};

type Reader = (vector: duckdb.Vector, count: number, type: duckdb.LogicalType) => RawColumn;

/** A reader that copies `width` bytes a value and lets `view` make numbers of them. */
const numbers =
  (width: number, view: (buffer: ArrayBuffer) => RawNumbers['values']): Reader =>
  (vector, count) => ({ type: 'number', values: view(copyBytes(vector, count * width)), valid: readValidity(vector, count) });

const READERS: Readonly<Partial<Record<duckdb.Type, Reader>>> = {
  [duckdb.Type.BOOLEAN]: numbers(1, (buffer) => Int32Array.from(new Uint8Array(buffer))),
  [duckdb.Type.TINYINT]: numbers(1, (buffer) => Int32Array.from(new Int8Array(buffer))),
  [duckdb.Type.UTINYINT]: numbers(1, (buffer) => Int32Array.from(new Uint8Array(buffer))),
  [duckdb.Type.SMALLINT]: numbers(2, (buffer) => Int32Array.from(new Int16Array(buffer))),
  [duckdb.Type.USMALLINT]: numbers(2, (buffer) => Int32Array.from(new Uint16Array(buffer))),
  [duckdb.Type.INTEGER]: numbers(4, (buffer) => new Int32Array(buffer)),
  [duckdb.Type.UINTEGER]: numbers(4, (buffer) => Float64Array.from(new Uint32Array(buffer))),
  [duckdb.Type.FLOAT]: numbers(4, (buffer) => new Float32Array(buffer)),
  [duckdb.Type.DOUBLE]: numbers(8, (buffer) => new Float64Array(buffer)),
  [duckdb.Type.BIGINT]: (vector, count) => readIntegers64(vector, count, true),
  [duckdb.Type.UBIGINT]: (vector, count) => readIntegers64(vector, count, false),
  [duckdb.Type.HUGEINT]: (vector, count) => readIntegers128(vector, count, true),
  [duckdb.Type.UHUGEINT]: (vector, count) => readIntegers128(vector, count, false),
  [duckdb.Type.DECIMAL]: readDecimals,
  [duckdb.Type.VARCHAR]: readStrings,
  [duckdb.Type.LIST]: readLists,
  [duckdb.Type.ARRAY]: readArrays,
};

const readAs = (vector: duckdb.Vector, count: number, physical: duckdb.Type, type: duckdb.LogicalType): RawColumn => {
  const reader = READERS[physical];
  if (reader !== undefined) return reader(vector, count, type);
  const items = DuckDBVector.create(vector, count);
  return {
    type: 'string',
    values: Array.from({ length: count }, (_, row) => {
      const item = items.getItem(row);
      return item === null ? null : String(item);
    }),
  };
};

/** Copies a DuckDB vector of `count` values into memory that outlives its chunk. */
export const readVector = (vector: duckdb.Vector, count: number): RawColumn => {
  const type = duckdb.vector_get_column_type(vector);
  return readAs(vector, count, duckdb.get_type_id(type), type);
};
