import { describe, expect, it } from 'vitest';
import type { Column } from '../data/columns.js';
import { createEncoder } from '../data/encode.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { keepRows, renumbering } from './renumber.js';

const surfaces = ['feed', 'search'];
const encoders: EncoderSet = {
  surfaces,
  viewTypes: ['', 'feed/feed'],
  tables: [
    { type: 'vocabulary', name: 'item', rows: 8, values: ['a', 'b', 'c', 'd', 'e'] },
    { type: 'hash', name: 'query', rows: 9, buckets: 6 },
  ],
  columns: [
    { kind: 'ids', name: 'history.item', feature: 'history', side: 'request', surfaces, table: 'item', pooling: 'mean', maxLength: 9, keep: 'last' },
    { kind: 'id', name: 'query', feature: 'query', side: 'request', surfaces, table: 'query' },
    { kind: 'id', name: 'item', feature: 'item', side: 'candidate', surfaces, table: 'item' },
    { kind: 'number', name: 'price', feature: 'price', side: 'candidate', surfaces, encoding: { type: 'affine', log: false, mean: 0, deviation: 1 } },
  ],
};
const smaller = keepRows(encoders, new Map([['item', Int32Array.of(0, 1, 2, 4, 7)]]));

const rows = {
  other: 'stays',
  requestColumns: new Map<string, Column>([
    ['history.item', { kind: 'ids', offsets: Int32Array.of(0, 2, 5), values: Int32Array.of(3, 4, 0, 1, 7) }],
    ['query', { kind: 'id', values: Int32Array.of(8, 3) }],
  ]),
  candidateColumns: new Map<string, Column>([
    ['item', { kind: 'id', values: Int32Array.of(2, 4, 5, 7) }],
    ['price', { kind: 'number', values: Float32Array.of(1, 2, 3, 4) }],
  ]),
};

describe('encoders that have lost rows', () => {
  it('keep the values of the others, in their order', () => {
    expect(smaller.tables).toEqual([{ type: 'vocabulary', name: 'item', rows: 5, values: ['b', 'e'] }, encoders.tables[1]]);
    expect(keepRows(encoders, new Map())).toEqual(encoders);
  });

  it('encode a value without a row as an unknown one', () => {
    const { encodeColumn } = createEncoder(smaller);
    const encoded = encodeColumn(smaller.columns[2]!, { type: 'string', values: ['a', 'b', 'c', 'd', 'e', null, 'z'] }, 7, { surfaces: 0 });
    expect([...(encoded as Extract<Column, { kind: 'id' }>).values]).toEqual([2, 3, 2, 2, 4, 1, 2]);
  });

  it('take rows that were encoded before', () => {
    const renumbered = renumbering(encoders, smaller)(rows);
    expect(renumbered.other).toBe('stays');
    expect(renumbered.requestColumns.get('history.item')).toEqual({ kind: 'ids', offsets: Int32Array.of(0, 2, 5), values: Int32Array.of(2, 3, 0, 1, 4) });
    expect(renumbered.requestColumns.get('query')).toBe(rows.requestColumns.get('query'));
    expect(renumbered.candidateColumns.get('item')).toEqual({ kind: 'id', values: Int32Array.of(2, 3, 2, 4) });
    expect(renumbered.candidateColumns.get('price')).toBe(rows.candidateColumns.get('price'));
    expect(renumbering(encoders, encoders)(rows)).toBe(rows);
  });
});
