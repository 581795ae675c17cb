/** Rows of columns, picked by number. */
import type { Column, Columns } from './columns.js';

// One function per element type: a loop that meets both kinds of array is several times slower.
/** Values of the given rows. */
export const gatherInts = (from: Int32Array, rows: Int32Array): Int32Array => {
  const into = new Int32Array(rows.length);
  for (let i = 0; i < into.length; i += 1) into[i] = from[rows[i]!]!;
  return into;
};

/** Values of the given rows. */
export const gatherFloats = (from: Float32Array, rows: Int32Array): Float32Array => {
  const into = new Float32Array(rows.length);
  for (let i = 0; i < into.length; i += 1) into[i] = from[rows[i]!]!;
  return into;
};

const gatherVectors = (from: Float32Array, size: number, rows: Int32Array): Float32Array => {
  const into = new Float32Array(rows.length * size);
  for (let i = 0; i < rows.length; i += 1) {
    const start = rows[i]! * size;
    for (let k = 0; k < size; k += 1) into[i * size + k] = from[start + k]!;
  }
  return into;
};

const gatherLists = (offsets: Int32Array, from: Int32Array, rows: Int32Array): Column => {
  const own = new Int32Array(rows.length + 1);
  for (let i = 0; i < rows.length; i += 1) own[i + 1] = own[i]! + offsets[rows[i]! + 1]! - offsets[rows[i]!]!;
  const into = new Int32Array(own[rows.length]!);
  for (let i = 0; i < rows.length; i += 1) {
    const end = own[i + 1]!;
    for (let k = own[i]!, at = offsets[rows[i]!]!; k < end; k += 1, at += 1) into[k] = from[at]!;
  }
  return { kind: 'ids', offsets: own, values: into };
};

/** The given rows of a column, in that order. */
export const gatherColumn = (column: Column, rows: Int32Array): Column => {
  switch (column.kind) {
    case 'id':
      return { kind: 'id', values: gatherInts(column.values, rows) };
    case 'number':
      return { kind: 'number', values: gatherFloats(column.values, rows) };
    case 'vector':
      return { kind: 'vector', size: column.size, values: gatherVectors(column.values, column.size, rows) };
    case 'ids':
      return gatherLists(column.offsets, column.values, rows);
  }
};

/** The given rows of several columns. */
export const gatherColumns = (columns: Columns, rows: Int32Array): Columns => {
  const gathered = new Map<string, Column>();
  for (const [name, column] of columns) gathered.set(name, gatherColumn(column, rows));
  return gathered;
};
