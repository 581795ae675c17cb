import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INPUT, searchSurface } from '../../../test/support/search-surface.js';
import type { RawColumn } from '../../data/raw-column.js';
import type { RawRequest } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { readScoreRequest } from './read-score-request.js';

const SEARCH = searchSurface(INPUT.query, INPUT.age, INPUT.pins, INPUT.times, INPUT.brand, INPUT.price, INPUT.tags, INPUT.shape);

const LOADED = [SEARCH, { ...SEARCH, version: 'v0', isCurrent: false }, { ...SEARCH, surface: 'feed' }];

const read = (body: unknown): RawRequest => readScoreRequest(body, (surface, version = 'v1') => (surface === 'search' ? LOADED.find((one) => one.version === version) : undefined), { maxCandidates: 5, loaded: () => LOADED });

const refusal = (body: unknown): RequestError => {
  try {
    read(body);
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError);
    return error as RequestError;
  }
  return expect.fail('the request was taken');
};

/** Plain values of a column, null where one is missing. */
const plain = (column: RawColumn): unknown => {
  if (column.type === 'string') return column.values;
  if (column.type === 'number') return Array.from(column.values, (value, row) => (column.valid(row) ? value : null));
  const child = plain(column.child) as readonly unknown[];
  return Array.from({ length: column.offsets.length - 1 }, (_, row) => (column.valid(row) ? child.slice(column.offsets[row], column.offsets[row + 1]) : null));
};

const plainColumns = (columns: ReadonlyMap<string, RawColumn>): unknown => Object.fromEntries([...columns].map(([name, column]) => [name, plain(column)]).sort());

const body = (over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({ surface: 'search', candidates: [{}], ...over });

describe('readScoreRequest', () => {
  it('reads every kind of value, ids as texts', () => {
    const request = read({
      surface: 'search',
      viewType: 'results',
      requestId: 7,
      userId: 'u',
      time: '2025-01-31T12:00:00Z',
      features: { query: 5.0, age: true, history: [{ pin: 'p', '@time': 1 }, { pin: null, '@time': 2 }] },
      candidates: [{ brand: false, price: 1.5, tags: ['a', 2], shape: [1, null] }, { brand: null }],
      itemIds: ['i', null],
      tasks: ['click', 'click'],
    });
    expect(request).toMatchObject({ viewType: 'results', requestId: '7', userId: 'u', time: Date.parse('2025-01-31T12:00:00Z'), candidateCount: 2, itemIds: ['i', null], tasks: ['click'] });
    expect(plainColumns(request.requestColumns)).toEqual({ query: ['5'], age: [1], 'history.pin': [['p', null]], 'history.@time': [[1, 2]] });
    expect(plainColumns(request.candidateColumns)).toEqual({ brand: ['false', null], price: [1.5, null], tags: [['a', '2'], null], shape: [[1, null], null] });
  });

  it('writes numbers that are ids as training does', () => {
    const numbers = [1e-7, -0, 2 ** 53 - 1];
    const { candidateColumns } = read(body({ candidates: numbers.map((brand) => ({ brand })) }));
    expect(plainColumns(candidateColumns)).toEqual({ brand: ['1e-07', '0', '9007199254740991'] });
  });

  it.each([
    ['2025-01-31T12:00:00.5Z', Date.UTC(2025, 0, 31, 12, 0, 0, 500)],
    ['2025-01-31T12:00:00+0130', Date.UTC(2025, 0, 31, 10, 30)],
    // As training reads it, whatever the zone of the machine.
    ['2025-01-31 12:00', Date.UTC(2025, 0, 31, 12)],
  ])('takes %s for a moment', (time, expected) => {
    expect(read(body({ time })).time).toBe(expected);
  });

  it('reads rows and columns alike', () => {
    const value = fc.option(fc.oneof(fc.string(), fc.integer()), { nil: null });
    const number = fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null });
    const candidate = fc.record({ brand: value, price: number, tags: fc.option(fc.array(value, { maxLength: 3 }), { nil: null }), shape: fc.option(fc.tuple(number, number), { nil: null }) });
    const event = fc.record({ pin: value, '@time': fc.integer() });
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 5 }), fc.array(event, { minLength: 1, maxLength: 6 }), (candidates, history) => {
        const across = (rows: readonly Readonly<Record<string, unknown>>[]): unknown => Object.fromEntries(Object.keys(rows[0]!).map((name) => [name, rows.map((row) => row[name])]));
        const [rows, columns] = [read(body({ candidates, features: { history } })), read(body({ candidates: across(candidates), features: { history: across(history) } }))];
        expect(plainColumns(columns.candidateColumns)).toEqual(plainColumns(rows.candidateColumns));
        expect(plainColumns(columns.requestColumns)).toEqual(plainColumns(rows.requestColumns));
        expect(columns.candidateCount).toBe(rows.candidateCount);
      }),
    );
  });

  it.each([
    [[], 'the body'],
    [body({ surface: 3 }), 'surface'],
    [body({ time: 'yesterday' }), 'time'],
    [body({ time: '5' }), 'time'],
    [body({ time: '2025-02-30T00:00:00Z' }), 'time'],
    [body({ userId: 2 ** 53 }), 'userId'],
    [body({ requestId: -(2 ** 53) }), 'requestId'],
    [body({ itemIds: [1, 1234567890123456789] }), 'itemIds[1]'],
    [body({ features: { query: 1234567890123456789 } }), 'features.query'],
    [body({ timeoutMs: 0 }), 'timeoutMs'],
    [body({ tasks: ['click', 1] }), 'tasks[1]'],
    [body({ features: [] }), 'features'],
    [body({ features: { age: '12' } }), 'features.age'],
    [body({ features: { query: ['a'] } }), 'features.query'],
    [body({ features: { history: [{ pin: 'p' }, 3] } }), 'features.history[1]'],
    [body({ features: { history: [{ pin: 'p', '@time': 1 }, { pin: 'p', '@time': 'x' }] } }), 'features.history[1].@time'],
    [body({ features: { history: { pin: ['a'], '@time': [1, 2] } } }), 'features.history.@time'],
    [body({ features: { history: [], 'history.pin': ['a'] } }), 'features.history.pin'],
    [body({ candidates: 3 }), 'candidates'],
    [body({ candidates: [{}, null] }), 'candidates[1]'],
    [body({ candidates: [{ price: 1 }, { price: 'x' }] }), 'candidates[1].price'],
    [body({ candidates: [{ tags: ['a', {}] }] }), 'candidates[0].tags[1]'],
    [body({ candidates: [{ shape: [1] }] }), 'candidates[0].shape'],
    [body({ candidates: { price: [1, 'x'] } }), 'candidates.price[1]'],
    [body({ candidates: [{ price: Infinity }] }), 'candidates[0].price'],
    [body({ candidates: [{ brand: -Infinity }] }), 'candidates[0].brand'],
    [body({ candidates: [{ shape: [1, Infinity] }] }), 'candidates[0].shape[1]'],
    [body({ candidates: { price: [1], brand: ['a', 'b'] } }), 'candidates.brand'],
    [body({ itemIds: ['a', 'b'] }), 'itemIds'],
    [{ surface: 'search' }, 'candidates'],
    [{ surface: 'search', candidates: null }, 'candidates'],
  ])('says where %j is wrong', (wrong, path) => {
    const { code, path: found, expected } = refusal(wrong);
    expect([code, found]).toEqual(['invalid', path]);
    expect(expected).toBeTruthy();
  });

  it.each([
    [{ candidates: [{}] }, 'surface is missing', 'the name of a surface'],
    [body({ candidates: [{ shape: [1, 2, 3] }] }), 'candidates[0].shape has 3 numbers', 'a list of 2 numbers, or null'],
    [body({ candidates: [{ shape: 1 }] }), 'candidates[0].shape is number 1', 'a list of 2 numbers, or null'],
    [body({ features: { history: [{ '@time': '2026-01-01' }] } }), 'features.history[0].@time is string "2026-01-01"', 'epoch milliseconds, a number, or null'],
    [body({ features: { history: { '@time': [true] } } }), 'features.history.@time[0] is boolean true', 'epoch milliseconds, a number, or null'],
  ])('says what is wrong with %j', (wrong, message, expected) => {
    expect(refusal(wrong)).toMatchObject({ message, expected });
  });

  it('refuses what is too much, not there, or misspelt', () => {
    expect(refusal(body({ candidates: new Array(6).fill({}) }))).toMatchObject({ code: 'too_large', path: 'candidates' });
    expect(refusal(body({ surface: 'serach' }))).toMatchObject({ code: 'not_found', path: 'surface', expected: 'one of search, feed' });
    expect(refusal(body({ surface: 'serach', version: 'v1' }))).toMatchObject({ code: 'not_found', path: 'surface', expected: 'one of search, feed' });
    expect(refusal(body({ version: 'v7' }))).toMatchObject({ code: 'not_found', path: 'version', message: 'no version "v7" of "search" is loaded', expected: 'one of v1, v0' });
    expect(refusal(body({ canidates: [] }))).toMatchObject({ code: 'invalid', path: 'canidates', expected: 'did you mean "candidates"?' });
  });

  it('takes item ids without candidates: as many, of which nothing else is given', () => {
    expect(read({ surface: 'search', itemIds: ['a', 7, null] })).toMatchObject({ candidateCount: 3, itemIds: ['a', '7', null], candidateColumns: new Map() });
    expect(read(body({ candidates: null, itemIds: [] }))).toMatchObject({ candidateCount: 0 });
    expect(refusal({ surface: 'search', itemIds: new Array(6).fill('a') })).toMatchObject({ code: 'too_large', path: 'itemIds' });
    expect(refusal({ surface: 'search' })).toMatchObject({ message: 'neither candidates nor itemIds is given', expected: 'a list of candidates, or an object of lists; or itemIds alone' });
  });

  it('passes on what nobody reads, by name alone', () => {
    const request = read(body({ features: { colour: { deep: [1] }, history: [{ pin: 'p', extra: 1 }] }, candidates: [{ constructor: 1, toString: 2 }] }));
    expect([...request.requestColumns.keys()].sort()).toEqual(['colour', 'history.@time', 'history.extra', 'history.pin']);
    expect([...request.candidateColumns.keys()].sort()).toEqual(['constructor', 'toString']);
  });

  it('refuses or reads whatever JSON there is', () => {
    const some = fc.oneof(fc.jsonValue(), fc.record({ surface: fc.constant('search'), candidates: fc.jsonValue(), features: fc.jsonValue(), time: fc.jsonValue() }, { requiredKeys: ['surface'] }));
    fc.assert(
      fc.property(some, (value) => {
        try {
          read(value);
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
