import { describe, expect, it } from 'vitest';
import type { TableState } from '../data/encoder-state.js';
import { diffTables, type ExportTables, type StoredTable, type TableDiff } from './diff-tables.js';

const stored = (rows: number): StoredTable => ({ rows, width: 4, precision: 'fp32', bytes: 16 * rows });

const exported = (tables: readonly TableState[], others: Readonly<Record<string, number>> = {}, viewTypes: readonly string[] = ['']): ExportTables => ({
  encoders: { tables, columns: [], surfaces: ['feed'], viewTypes },
  tables: new Map([...tables.map(({ name, rows }) => [name, stored(rows)] as const), ...Object.entries(others).map(([name, rows]) => [name, stored(rows)] as const)]),
});

const rowsOf = (a: ExportTables, b: ExportTables): Readonly<Record<string, TableDiff['rows']>> => Object.fromEntries(diffTables(a, b).map(({ table, rows }) => [table, rows]));

const vocabulary = (name: string, ...values: string[]): TableState => ({ type: 'vocabulary', name, rows: 3 + values.length, values });

describe('diffTables', () => {
  it('follows values, wherever their rows are', () => {
    const rows = rowsOf(exported([vocabulary('item', 'x', 'y', 'z'), vocabulary('old', 'p')]), exported([vocabulary('new', 'q', 'r'), vocabulary('item', 'z', 'w', 'x')]));
    expect(rows).toEqual({
      item: { kept: 5, added: 1, removed: 1 },
      new: { kept: 0, added: 5, removed: 0 },
      old: { kept: 0, added: 0, removed: 4 },
    });
  });

  it('knows that a bucket of other buckets stands for other values', () => {
    const hash = (buckets: number): TableState => ({ type: 'hash', name: 'query', rows: 3 + buckets, buckets });
    const bucket = (...boundaries: number[]): TableState => ({ type: 'bucket', name: 'stock', rows: 4 + boundaries.length, boundaries });
    const gap = (rows: number): TableState => ({ type: 'time_gap', name: 'gap', rows });
    expect(rowsOf(exported([hash(10), bucket(5, 20), gap(10)]), exported([hash(10), bucket(5, 20), gap(10)]))).toEqual({
      query: { kept: 13, added: 0, removed: 0 },
      stock: { kept: 6, added: 0, removed: 0 },
      gap: { kept: 10, added: 0, removed: 0 },
    });
    expect(rowsOf(exported([hash(10), bucket(5, 20), gap(10)]), exported([hash(12), bucket(5, 10, 20), gap(12)]))).toEqual({
      query: { kept: 3, added: 12, removed: 10 },
      // Below 5 and from 20 on stay what they were.
      stock: { kept: 5, added: 2, removed: 1 },
      // The last gap was open at its end.
      gap: { kept: 9, added: 3, removed: 1 },
    });
  });

  it('counts rows that stand for places or view types', () => {
    const a = exported([], { '@position.recent': 4, '@view_type': 2 }, ['', 'feed/grid']);
    const b = exported([], { '@position.recent': 6, '@view_type': 3 }, ['', 'feed/list', 'feed/grid']);
    expect(rowsOf(a, b)).toEqual({ '@position.recent': { kept: 4, added: 2, removed: 0 }, '@view_type': { kept: 2, added: 1, removed: 0 } });
  });
});
