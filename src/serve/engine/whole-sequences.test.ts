import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawColumn } from '../../data/raw-column.js';
import { readColumn } from '../json/raw-values.js';
import type { DefaultReason, RawInput } from '../raw-request.js';
import { sequenceFields, wholeSequences } from './whole-sequences.js';

const INPUTS: readonly RawInput[] = [
  { name: 'country', side: 'request', type: 'text', form: 'scalar' },
  { name: 'h.pin', side: 'request', type: 'text', form: 'list', sequence: 'h' },
  { name: 'h.age', side: 'request', type: 'number', form: 'list', sequence: 'h' },
  { name: 'h.@time', side: 'request', type: 'number', form: 'list', sequence: 'h' },
];
const FIELDS = sequenceFields(INPUTS);

const columnsOf = (values: Readonly<Record<string, unknown>>): ReadonlyMap<string, RawColumn> =>
  new Map(Object.entries(values).map(([name, value]) => [name, readColumn(INPUTS.find((input) => input.name === name)!, 1, () => value, () => name)]));

const valuesOf = (column: RawColumn): unknown => {
  if (column.type === 'list') return Array.from({ length: column.offsets[1]! - column.offsets[0]! }, (_, index) => at(column.child, column.offsets[0]! + index));
  return at(column, 0);
};
const at = (column: RawColumn, row: number): unknown => (column.type === 'string' ? column.values[row] : column.type === 'number' && column.valid(row) ? column.values[row] : null);

/** Histories as they are after, with what was told of them. */
const whole = (values: Readonly<Record<string, unknown>>, before = 100): { readonly values: unknown; readonly told: unknown } => {
  const told: [string, DefaultReason][] = [];
  const columns = wholeSequences(columnsOf(values), FIELDS, before, (sequence, reason) => told.push([sequence, reason]));
  return { values: Object.fromEntries([...columns].map(([name, column]) => [name, valuesOf(column)])), told };
};

describe('whole sequences', () => {
  it('are what they are where they are in order, and before the request', () => {
    const columns = columnsOf({ country: 'de', 'h.pin': ['a', 'b'], 'h.age': [1, null], 'h.@time': [5, 5] });
    expect(wholeSequences(columns, FIELDS, 100, () => expect.unreachable())).toBe(columns);
    const none = columnsOf({ country: 'de', 'h.pin': [] });
    expect(wholeSequences(none, FIELDS, 100, () => expect.unreachable())).toBe(none);
  });

  it('have every field, missing where it was not given', () => {
    expect(whole({ 'h.pin': ['a', 'b'], 'h.age': null })).toEqual({ values: { 'h.pin': ['a', 'b'], 'h.age': [null, null], 'h.@time': [null, null] }, told: [['h', 'null'], ['h', 'missing']] });
  });

  it('end strictly before the request', () => {
    expect(whole({ 'h.pin': ['a', 'b', 'c'], 'h.age': [1, 2, 3], 'h.@time': [99.9, 100, 100.1] })).toEqual({ values: { 'h.pin': ['a'], 'h.age': [1], 'h.@time': [99.9] }, told: [['h', 'late']] });
  });

  it('keep events without a time, whose order nobody knows', () => {
    expect(whole({ 'h.pin': ['a', 'b', 'c'], 'h.age': [1, 2, 3], 'h.@time': [7, null, 5] })).toEqual({ values: { 'h.pin': ['a', 'b', 'c'], 'h.age': [1, 2, 3], 'h.@time': [7, null, 5] }, told: [] });
    expect(whole({ 'h.pin': ['a', 'b', 'c'], 'h.age': [1, 2, 3], 'h.@time': [700, null, 5] })).toEqual({ values: { 'h.pin': ['b', 'c'], 'h.age': [2, 3], 'h.@time': [null, 5] }, told: [['h', 'late']] });
  });

  it('are those events that are before the request, oldest first, and of one moment as they came', () => {
    const events = fc.array(fc.record({ pin: fc.string({ maxLength: 3 }), age: fc.option(fc.integer()), time: fc.integer({ min: 0, max: 12 }) }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(events, fc.integer({ min: 0, max: 13 }), (given, before) => {
        const { values, told } = whole({ 'h.pin': given.map(({ pin }) => pin), 'h.age': given.map(({ age }) => age), 'h.@time': given.map(({ time }) => time) }, before);
        const expected = given.filter(({ time }) => time < before).sort((a, b) => a.time - b.time);
        expect(values).toEqual({ 'h.pin': expected.map(({ pin }) => pin), 'h.age': expected.map(({ age }) => age), 'h.@time': expected.map(({ time }) => time) });
        expect(told).toEqual(expected.length < given.length ? [['h', 'late']] : []);
      }),
    );
  });

  it('refuse fields of another number of events', () => {
    expect(() => whole({ 'h.pin': ['a'], 'h.age': [1, 2] })).toThrow(expect.objectContaining({ code: 'invalid', path: 'h.age' }) as Error);
  });
});
