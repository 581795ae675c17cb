/** Vocabulary tables with fewer rows: the encoders of an export, and rows that were encoded before in its numbers. */
import type { Column, Columns } from '../data/columns.js';
import { FIRST_VALUE_ROW, UNKNOWN_ROW, type EncoderSet, type TableState } from '../data/encoder-state.js';

/** Rows that are kept of tables, ascending, by table; a table that is not in it is kept whole. */
export type KeptRows = ReadonlyMap<string, Int32Array>;

/** The encoders of tables that have lost rows: values whose row is gone are unknown ones. */
export const keepRows = (encoders: EncoderSet, kept: KeptRows): EncoderSet => ({
  ...encoders,
  tables: encoders.tables.map((table): TableState => {
    const rows = kept.get(table.name);
    if (rows === undefined || table.type !== 'vocabulary') return table;
    const values = Array.from(rows.filter((row) => row >= FIRST_VALUE_ROW), (row) => table.values[row - FIRST_VALUE_ROW]!);
    return { ...table, rows: rows.length, values };
  }),
});

/** New row of each old one. */
const newRows = (from: readonly string[], to: readonly string[]): Int32Array => {
  const places = new Map(to.map((value, index) => [value, FIRST_VALUE_ROW + index]));
  const rows = new Int32Array(FIRST_VALUE_ROW + from.length);
  for (let row = 0; row < FIRST_VALUE_ROW; row += 1) rows[row] = row;
  from.forEach((value, index) => {
    rows[FIRST_VALUE_ROW + index] = places.get(value) ?? UNKNOWN_ROW;
  });
  return rows;
};

interface EncodedColumns {
  readonly requestColumns: Columns;
  readonly candidateColumns: Columns;
}

const renumberColumns = (columns: Columns, byColumn: ReadonlyMap<string, Int32Array>): Columns =>
  new Map(
    [...columns].map(([name, column]): [string, Column] => {
      const rows = byColumn.get(name);
      return [name, rows === undefined || (column.kind !== 'id' && column.kind !== 'ids') ? column : { ...column, values: column.values.map((row) => rows[row]!) }];
    }),
  );

/**
 * Makes rows that one set of encoders has encoded what another would have made of them, whose vocabularies are parts of the
 * first one's: rows of the prepared dataset as an export wants them.
 */
export const renumbering = (from: EncoderSet, to: EncoderSet): (<T extends EncodedColumns>(rows: T) => T) => {
  const old = new Map(from.tables.map((table) => [table.name, table]));
  const byTable = new Map(
    to.tables.flatMap((table): [string, Int32Array][] => {
      const before = old.get(table.name);
      if (table.type !== 'vocabulary' || before?.type !== 'vocabulary' || before.rows === table.rows) return [];
      return [[table.name, newRows(before.values, table.values)]];
    }),
  );
  const byColumn = new Map(to.columns.flatMap((column) => {
    const rows = 'table' in column ? byTable.get(column.table) : undefined;
    return rows === undefined ? [] : [[column.name, rows] as const];
  }));
  if (byColumn.size === 0) return (rows) => rows;
  return (rows) => ({ ...rows, requestColumns: renumberColumns(rows.requestColumns, byColumn), candidateColumns: renumberColumns(rows.candidateColumns, byColumn) });
};
