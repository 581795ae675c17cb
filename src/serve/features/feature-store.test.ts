import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INPUT, searchSurface } from '../../../test/support/search-surface.js';
import type { RawColumn } from '../../data/raw-column.js';
import type { RawRequest } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { applyUpdate } from './apply-update.js';
import { completeRequest } from './complete-request.js';
import { KEPT_EVENTS, type FeatureStore, type FeatureUpdate } from './feature-store.js';
import { openLmdbStore } from './lmdb-store.js';

let directory: string;
let store: Awaited<ReturnType<typeof openLmdbStore>>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-features-'));
  store = await openLmdbStore(join(directory, 'store'));
});

afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const SURFACE = searchSurface(INPUT.country, INPUT.age, INPUT.pins, INPUT.times, INPUT.brand, INPUT.price);

const request = (over: Partial<RawRequest>): RawRequest => ({ surface: 'search', time: 100, candidateCount: 2, requestColumns: new Map(), candidateColumns: new Map(), ...over });

const valuesOf = (column: RawColumn | undefined): unknown => {
  if (column === undefined) return undefined;
  if (column.type === 'list') return valuesOf(column.child);
  return column.type === 'string' ? column.values : Array.from(column.values, (value, row) => (column.valid(row) ? value : null));
};

const event = (user: string, time: number, pin: string): FeatureUpdate => ({ event: { sequence: 'history', user, time, fields: { pin } } });

const ask = (userId: string, before: number, limit: number): ReturnType<FeatureStore['lookup']> => store.lookup({ userId, itemIds: [], sequences: ['history'], before, limit });

describe('the embedded store', () => {
  it('gives the newest events strictly before a moment, whatever the order they came in', async () => {
    let user = 0;
    const events = fc.array(fc.record({ time: fc.integer({ min: 0, max: 20 }), pin: fc.constantFrom('a', 'b', 'c') }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(events, fc.integer({ min: 0, max: 21 }), fc.integer({ min: 1, max: 10 }), async (all, before, limit) => {
        user += 1;
        await store.write(all.map(({ time, pin }) => event(`user ${user}`, time, pin)));
        const distinct = all.filter((one, index) => all.findIndex(({ time, pin }) => time === one.time && pin === one.pin) === index);
        const expected = distinct.map((one, index) => ({ ...one, index })).sort((a, b) => a.time - b.time || a.index - b.index).filter(({ time }) => time < before).slice(-limit);
        const [found] = (await ask(`user ${user}`, before, limit)).events;
        expect(found!.times).toEqual(expected.map(({ time }) => time));
        expect(found!.fields['pin'] ?? []).toEqual(expected.map(({ pin }) => pin));
      }),
      { numRuns: 60 },
    );
  });

  it('keeps the newest of very many events', async () => {
    await store.write(Array.from({ length: KEPT_EVENTS + 10 }, (_, time) => event('busy', time, 'p')));
    expect((await ask('busy', Infinity, 5000)).events[0]!.times).toEqual(Array.from({ length: KEPT_EVENTS }, (_, index) => index + 10));
  });

  it('keeps what an update does not name, and forgets what has expired', async () => {
    await store.write([{ user: 'u', features: { country: 'de', age: 3 } }]);
    await store.write([{ user: 'u', features: { age: 4 } }, { item: 'i', features: { price: 1 }, ttl: 1 }]);
    const query = { userId: 'u', itemIds: ['i', null, 'j'], sequences: [], before: 0, limit: 1 };
    expect(await store.lookup(query)).toMatchObject({ user: { country: 'de', age: 4 }, items: [{ price: 1 }, undefined, undefined] });
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect((await store.lookup(query)).items).toEqual([undefined, undefined, undefined]);
    expect(await store.sweep()).toBeGreaterThan(0);
  });

  it('takes checked updates, all or none', async () => {
    await applyUpdate(store, [{ user: 7, features: { age: 1 } }, { event: { sequence: 'history', user: '7', time: 1, fields: { pin: 'x' } } }]);
    expect(await ask('7', 2, 1)).toMatchObject({ user: { age: 1 }, events: [{ times: [1] }] });
    await expect(applyUpdate(store, [{ user: 'n', features: {} }, { user: 'n' }])).rejects.toThrow(RequestError);
    await expect(applyUpdate(store, [{ user: 'n', features: { age: { no: 1 } } }])).rejects.toMatchObject({ code: 'invalid', path: '[0]' });
    await expect(applyUpdate(store, { user: 'n', features: {}, ttl: '7d' })).rejects.toThrow(/\(ttl: .*expected number/u);
    expect((await ask('n', 1, 1)).user).toBeUndefined();
  });
});

describe('completeRequest', () => {
  beforeAll(async () => {
    await store.write([
      { user: 'known', features: { country: 'de', age: 31 } },
      event('known', 50, 'a'),
      event('known', 99, 'b'),
      event('known', 100, 'at the same moment'),
      { item: 'i1', features: { brand: 'x', price: 2 } },
      { item: 'i2', features: { brand: 'y', price: 'a text where a number belongs' } },
    ]);
  });

  const complete = (over: Partial<RawRequest>, by: FeatureStore = store, timeoutMs = 1000): ReturnType<typeof completeRequest> => completeRequest(request(over), SURFACE, by, { timeoutMs });

  it('fills in what the request does not have, histories up to its moment', async () => {
    const { request: completed, degraded } = await complete({ userId: 'known', itemIds: ['i1', 'i2'] });
    expect(degraded).toEqual([]);
    const values = Object.fromEntries([...completed.requestColumns, ...completed.candidateColumns].map(([name, column]) => [name, valuesOf(column)]));
    expect(values).toEqual({ country: ['de'], age: [31], 'history.pin': ['a', 'b'], 'history.@time': [50, 99], brand: ['x', 'y'], price: [2, null] });
  });

  it.each([
    ['9300000000000000', 9.3e15],
    [' 1e3 ', 1000],
    ['-.5', -0.5],
    ['1e999', null],
    ['0x10', null],
    ['', null],
    ['12 apples', null],
    [[1], null],
  ])('reads %j as training reads it where a number belongs', async (age, expected) => {
    await store.write([{ user: 'texts', features: { age } }]);
    const { request: completed } = await complete({ userId: 'texts' });
    expect(valuesOf(completed.requestColumns.get('age'))).toEqual([expected]);
  });

  it("leaves the request's own values as they are", async () => {
    const own: RawColumn = { type: 'string', values: ['fr'] };
    const brand: RawColumn = { type: 'string', values: [null, 'z'] };
    const { request: completed } = await complete({ userId: 'known', itemIds: ['i1', null], requestColumns: new Map([['country', own]]), candidateColumns: new Map([['brand', brand]]) });
    expect(completed.requestColumns.get('country')).toBe(own);
    expect(completed.candidateColumns.get('brand')).toBe(brand);
    expect(valuesOf(completed.candidateColumns.get('price'))).toEqual([2, null]);
  });

  it('takes a user that is not known for one without features', async () => {
    const { request: completed, degraded } = await complete({ userId: 'nobody' });
    expect(degraded).toEqual([]);
    expect([...completed.requestColumns.keys()].sort()).toEqual(['history.@time', 'history.pin']);
    expect(valuesOf(completed.requestColumns.get('history.pin'))).toEqual([]);
  });

  it('asks for no more events than are encoded', async () => {
    const short = SURFACE.inputs.map((input) => (input.sequence === undefined ? input : { ...input, maxLength: 1 }));
    const { request: completed } = await completeRequest(request({ userId: 'known' }), { ...SURFACE, inputs: short }, store, { timeoutMs: 1000 });
    expect(valuesOf(completed.requestColumns.get('history.pin'))).toEqual(['b']);
    expect(valuesOf(completed.requestColumns.get('history.@time'))).toEqual([99]);
  });

  it('goes on without a store that is slow or fails, names what is missing, and leaves it alone for a while', async () => {
    let asked = 0;
    const failing: FeatureStore = { ...(store as FeatureStore), lookup: () => ((asked += 1) % 2 === 0 ? Promise.reject(new Error('gone')) : new Promise(() => undefined)) };
    for (let round = 0; round < 6; round += 1) {
      const { request: completed, degraded } = await complete({ userId: 'known', itemIds: ['i1', 'i2'] }, failing, 10);
      expect(degraded).toEqual(['user', 'history', 'items']);
      expect(completed.requestColumns.size).toBe(0);
    }
    expect(asked).toBe(3);
  });
});
