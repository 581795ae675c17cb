import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST_VALUE_ROW, type TableState } from '../data/encoder-state.js';
import { olderRows, type Vocabulary } from './vocabulary.js';

const vocabulary = (tables: readonly TableState[], more: Partial<Vocabulary> = {}): Vocabulary => ({ surfaces: ['home'], viewTypes: ['', 'home/home'], tables, ...more });
const words = (values: readonly string[]): TableState => ({ type: 'vocabulary', name: 't', rows: FIRST_VALUE_ROW + values.length, values });
const buckets = (type: 'hash' | 'bucket', count: number): TableState =>
  type === 'hash' ? { type, name: 't', rows: FIRST_VALUE_ROW + count, buckets: count } : { type, name: 't', rows: FIRST_VALUE_ROW + count, boundaries: Array.from({ length: count - 1 }, (_, i) => i) };
const rowsOf = (now: TableState, before: TableState): number[] => [...olderRows('t', vocabulary([now]), vocabulary([before]), now.rows, before.rows)];

describe('olderRows', () => {
  it('finds the rows of values again wherever they are now', () => {
    expect(rowsOf(words(['c', 'new', 'a']), words(['a', 'b', 'c']))).toEqual([0, 1, 2, 5, -1, 3]);
  });

  it('gives each row the row that had its value, for any two vocabularies', () => {
    const values = fc.uniqueArray(fc.string({ maxLength: 3 }), { maxLength: 12 });
    fc.assert(
      fc.property(values, values, (now, before) => {
        const rows = rowsOf(words(now), words(before));
        expect(rows).toHaveLength(FIRST_VALUE_ROW + now.length);
        now.forEach((value, index) => {
          expect(rows[FIRST_VALUE_ROW + index]).toBe(before.includes(value) ? FIRST_VALUE_ROW + before.indexOf(value) : -1);
        });
      }),
    );
  });

  it('keeps buckets of as many, time gaps of any range, and of others only what is absent, missing and unknown', () => {
    expect(rowsOf(buckets('hash', 2), buckets('hash', 2))).toEqual([0, 1, 2, 3, 4]);
    expect(rowsOf(buckets('hash', 3), buckets('hash', 2))).toEqual([0, 1, 2, -1, -1, -1]);
    expect(rowsOf(buckets('bucket', 2), buckets('bucket', 2))).toEqual([0, 1, 2, 3, 4]);
    expect(rowsOf(buckets('bucket', 2), words(['a', 'b']))).toEqual([0, 1, 2, -1, -1]);
    expect(rowsOf({ type: 'time_gap', name: 't', rows: 6 }, { type: 'time_gap', name: 't', rows: 5 })).toEqual([0, 1, 2, 3, 4, -1]);
  });

  it('finds surfaces and view types by name, and positions by distance', () => {
    const before = vocabulary([], { surfaces: ['home', 'search'], viewTypes: ['', 'home/grid', 'search/search'] });
    const now = vocabulary([], { surfaces: ['search', 'related', 'home'], viewTypes: ['', 'search/search', 'home/list', 'home/grid'] });
    expect([...olderRows('@surface', now, before, 3, 2)]).toEqual([1, -1, 0]);
    expect([...olderRows('@view_type', now, before, 4, 3)]).toEqual([0, 2, -1, 1]);
    expect([...olderRows('@position.history', now, before, 4, 2)]).toEqual([0, 1, -1, -1]);
    expect([...olderRows('t', vocabulary([words(['a'])]), before, 4, 4)]).toEqual([-1, -1, -1, -1]);
  });
});
