/**
 * The one code path from raw values to encoded columns: `prepare` writes shards with it, export parity replays with it,
 * and serving encodes requests with it.
 */
import { DataError } from '../config/errors.js';
import type { Column, Columns } from './columns.js';
import { createNumberEncoding } from './encode-number.js';
import { ABSENT_ROW, MISSING_ROW, type ColumnState, type EncoderSet, type TableState } from './encoder-state.js';
import type { RawColumn, RawLists } from './raw-column.js';
import { eventTimeColumn } from './staged.js';
import { createTableRows, type TableRows } from './table-rows.js';

export interface EncodeContext {
  /** Surface index of each row, or the one surface of all rows. */
  readonly surfaces: Int32Array | number;
  /** Request time of each row, epoch ms. Needed where a sequence has a `time_gap` field. */
  readonly requestTimes?: Float64Array;
  /** Replace training-only features by the value they are served with. */
  readonly serving?: boolean;
}

export interface Encoder {
  readonly set: EncoderSet;
  /**
   * Encodes `rowCount` rows of one column; without `raw` every row is missing.
   *
   * - `id`: absent row where the surface lacks the feature, missing row for null, unknown row outside the vocabulary
   * - `ids`: the absent row alone where the surface lacks the feature, empty for null; null elements are missing rows
   * - `number`: NaN where absent or missing; `vector`: a row of NaN
   *
   * @throws DataError when the raw values are of another shape or a text is no number
   */
  encodeColumn(state: ColumnState, raw: RawColumn | undefined, rowCount: number, context: EncodeContext): Column;
  /** Encodes every column of a side from raw columns by {@link rawColumnName}. */
  encodeRows(side: ColumnState['side'], raw: ReadonlyMap<string, RawColumn>, rowCount: number, context: EncodeContext): Columns;
}

type Present = (row: number) => boolean;

const always: Present = () => true;
const never: Present = () => false;

/** Name of the raw column that feeds an encoded column: its own, or the event times for `time_gap` fields. */
export const rawColumnName = (state: ColumnState, set: EncoderSet): string => {
  const table = 'table' in state ? set.tables.find((candidate) => candidate.name === state.table) : undefined;
  return table?.type === 'time_gap' ? eventTimeColumn(state.feature) : state.name;
};

const shapeError = (state: ColumnState, expected: string): DataError =>
  new DataError(`feature "${state.feature}": the raw values of "${state.name}" have another shape`, {
    where: state.name,
    expected,
    fix: 'give the feature the kind that its values have, or map its column with an expression',
  });

const toNumber = (state: ColumnState, text: string, row: number): number => {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isNaN(value)) {
    throw new DataError(`feature "${state.feature}": row ${row} holds ${JSON.stringify(text)}`, {
      where: state.name,
      expected: 'a number or null',
      fix: 'correct the value, or declare the feature as categorical',
    });
  }
  return value;
};

/** Raw numbers by row, NaN where null. */
const numberReader = (state: ColumnState, raw: RawColumn): ((row: number) => number) => {
  if (raw.type === 'list') throw shapeError(state, 'one number per row');
  if (raw.type === 'number') {
    const { values, valid } = raw;
    return (row) => (valid(row) ? values[row]! : NaN);
  }
  const { values } = raw;
  return (row) => {
    const text = values[row];
    return text === null || text === undefined ? NaN : toNumber(state, text, row);
  };
};

/** Table rows of raw scalars, the missing row where null. */
const rowReader = (state: ColumnState, raw: RawColumn, table: TableState, rows: TableRows): ((row: number) => number) => {
  if (raw.type === 'string' && (table.type === 'vocabulary' || table.type === 'hash')) {
    const { values } = raw;
    return (row) => {
      const text = values[row];
      return text === null || text === undefined ? MISSING_ROW : rows.ofText(text);
    };
  }
  const number = numberReader(state, raw);
  return (row) => rows.ofNumber(number(row));
};

const listsOf = (state: ColumnState, raw: RawColumn): RawLists => {
  if (raw.type !== 'list') throw shapeError(state, 'a list per row');
  return raw;
};

const constantColumn = (value: string | number, rowCount: number): RawColumn =>
  typeof value === 'number'
    ? { type: 'number', values: new Float64Array(rowCount).fill(value), valid: () => true }
    : { type: 'string', values: new Array<string>(rowCount).fill(value) };

const encodeIds = (
  state: ColumnState & { kind: 'ids' },
  raw: RawColumn | undefined,
  rowCount: number,
  present: Present,
  table: TableState,
  rows: TableRows,
  requestTimes: Float64Array | undefined,
): Column => {
  const lists = raw === undefined ? undefined : listsOf(state, raw);
  const offsets = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row += 1) {
    const length = lists === undefined ? 0 : lists.offsets[row + 1]! - lists.offsets[row]!;
    offsets[row + 1] = offsets[row]! + (present(row) ? Math.min(length, state.maxLength) : 1);
  }
  const values = new Int32Array(offsets[rowCount]!);
  const timed = table.type === 'time_gap';
  if (timed && requestTimes === undefined) throw new TypeError(`"${state.name}" cannot be encoded without request times`);
  const readRow = lists === undefined || timed ? undefined : rowReader(state, lists.child, table, rows);
  const readTime = lists === undefined || !timed ? undefined : numberReader(state, lists.child);
  for (let row = 0; row < rowCount; row += 1) {
    const at = offsets[row]!;
    const length = offsets[row + 1]! - at;
    if (!present(row)) {
      values[at] = ABSENT_ROW;
    } else if (lists !== undefined) {
      const from = state.keep === 'last' ? lists.offsets[row + 1]! - length : lists.offsets[row]!;
      for (let k = 0; k < length; k += 1) {
        values[at + k] = readTime === undefined ? readRow!(from + k) : rows.ofNumber(requestTimes![row]! - readTime(from + k));
      }
    }
  }
  return { kind: 'ids', offsets, values };
};

const encodeVector = (state: ColumnState & { kind: 'vector' }, raw: RawColumn | undefined, rowCount: number, present: Present): Column => {
  const { size } = state;
  const values = new Float32Array(rowCount * size).fill(NaN);
  if (raw === undefined) return { kind: 'vector', size, values };
  const lists = listsOf(state, raw);
  const read = numberReader(state, lists.child);
  for (let row = 0; row < rowCount; row += 1) {
    if (!present(row) || !lists.valid(row)) continue;
    const from = lists.offsets[row]!;
    const length = lists.offsets[row + 1]! - from;
    if (length !== size) {
      throw new DataError(`feature "${state.feature}": row ${row} holds ${length} numbers`, {
        where: state.name,
        expected: `${size} numbers, or null`,
        fix: 'correct the row, or the size declared in the config',
      });
    }
    const at = row * size;
    for (let k = 0; k < size; k += 1) {
      const value = read(from + k);
      if (!Number.isFinite(value)) {
        values.fill(NaN, at, at + size);
        break;
      }
      values[at + k] = value;
    }
  }
  return { kind: 'vector', size, values };
};

/** An encoder with its lookups built once. */
export const createEncoder = (set: EncoderSet): Encoder => {
  const tables = new Map(set.tables.map((table) => [table.name, { table, rows: createTableRows(table) }]));
  const rawNames = new Map(set.columns.map((state) => [state, rawColumnName(state, set)]));
  const tableOf = (name: string): { readonly table: TableState; readonly rows: TableRows } => {
    const found = tables.get(name);
    if (found === undefined) throw new TypeError(`the encoder set has no table "${name}"`);
    return found;
  };
  /** By column: which surfaces have it. */
  const presence = new Map(set.columns.map((state) => [state, Uint8Array.from(set.surfaces, (surface) => (state.surfaces.includes(surface) ? 1 : 0))]));
  const numberEncodings = new Map(set.columns.flatMap((state) => (state.kind === 'number' ? [[state, createNumberEncoding(state.encoding)] as const] : [])));
  const sides = { request: set.columns.filter(({ side }) => side === 'request'), candidate: set.columns.filter(({ side }) => side === 'candidate') };
  const presenceOf = (state: ColumnState, { surfaces }: EncodeContext): Present => {
    const has = presence.get(state)!;
    if (typeof surfaces === 'number') return has[surfaces] === 1 ? always : never;
    if (has.every((value) => value === 1)) return always;
    return (row) => has[surfaces[row]!] === 1;
  };

  const encodeColumn: Encoder['encodeColumn'] = (state, given, rowCount, context) => {
    const present = presenceOf(state, context);
    const raw = context.serving === true && state.serveAs !== undefined ? constantColumn(state.serveAs, rowCount) : given;
    switch (state.kind) {
      case 'id': {
        const { table, rows } = tableOf(state.table);
        const values = new Int32Array(rowCount);
        const read = raw === undefined ? () => MISSING_ROW : rowReader(state, raw, table, rows);
        for (let row = 0; row < rowCount; row += 1) values[row] = present(row) ? read(row) : ABSENT_ROW;
        return { kind: 'id', values };
      }
      case 'ids': {
        const { table, rows } = tableOf(state.table);
        return encodeIds(state, raw, rowCount, present, table, rows, context.requestTimes);
      }
      case 'number': {
        const encode = numberEncodings.get(state)!;
        const values = new Float32Array(rowCount);
        const read = raw === undefined ? () => NaN : numberReader(state, raw);
        for (let row = 0; row < rowCount; row += 1) values[row] = present(row) ? encode(read(row)) : NaN;
        return { kind: 'number', values };
      }
      case 'vector':
        return encodeVector(state, raw, rowCount, present);
    }
  };

  return {
    set,
    encodeColumn,
    encodeRows: (side, raw, rowCount, context) =>
      new Map(sides[side].map((state) => [state.name, encodeColumn(state, raw.get(rawNames.get(state)!), rowCount, context)])),
  };
};
