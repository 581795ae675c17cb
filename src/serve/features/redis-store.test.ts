import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { REDIS_PROGRAMS, startRedisProcess, type RedisProcess } from '../../../test/support/redis-process.js';
import { INPUT, searchSurface } from '../../../test/support/search-surface.js';
import { IoError } from '../../config/errors.js';
import { applyUpdate } from './apply-update.js';
import { completeRequest } from './complete-request.js';
import { KEPT_EVENTS, type FeatureStore, type FeatureUpdate } from './feature-store.js';
import { openLmdbStore } from './lmdb-store.js';
import { openFeatureStore } from './open-feature-store.js';
import { openRedisStore } from './redis-store.js';

const SURFACE = searchSurface(INPUT.country, { ...INPUT.pins, maxLength: 5 }, INPUT.brand);

const FILL: readonly FeatureUpdate[] = [
  { user: 'u', features: { country: 'de' } },
  { item: 'i', features: { brand: 'b' } },
  { event: { sequence: 'history', user: 'u', time: 1, fields: { pin: 'p' } } },
];

const scalar = fc.oneof(fc.string({ maxLength: 4 }), fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)), fc.boolean(), fc.constant(null));
const name = fc.constantFrom('a', 'b', 'toString', 'constructor');
const values = fc.dictionary(name, fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })), { maxKeys: 3, noNullPrototype: true });
const id = fc.constantFrom('1', '2', 'é', ':');
/** At one moment there is one event: what order equal moments have differs. */
const update: fc.Arbitrary<FeatureUpdate> = fc.oneof(
  fc.record({ user: id, features: values }),
  fc.record({ item: id, features: values }),
  fc.record({ sequence: fc.constantFrom('s', 't'), user: id, time: fc.integer({ min: 0, max: 40 }) }).map(({ time, ...event }) => ({ event: { ...event, time: time / 2, fields: { pin: `p${time}`, seen: time % 2 === 0 } } })),
);

describe.each(REDIS_PROGRAMS)('the store on %s', (program) => {
  let directory: string;
  let redis: RedisProcess | undefined;
  let lmdb: FeatureStore;
  let remote: FeatureStore;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'onefold-redis-'));
    redis = await startRedisProcess(program, 'the feature store');
    if (redis === undefined) return;
    lmdb = await openLmdbStore(join(directory, 'store'));
    remote = await openFeatureStore(redis.url);
  });

  afterAll(async () => {
    await remote?.close();
    await lmdb?.close();
    redis?.resume();
    await redis?.kill();
    rmSync(directory, { recursive: true, force: true });
  });

  const running = (context: TestContext): RedisProcess => redis ?? context.skip(`${program} is not installed`);

  const complete = (timeoutMs: number): ReturnType<typeof completeRequest> =>
    completeRequest({ surface: 'search', time: 100, candidateCount: 1, userId: 'u', itemIds: ['i'], requestColumns: new Map(), candidateColumns: new Map() }, SURFACE, remote, { timeoutMs });

  const untilWhole = async (): Promise<void> => {
    await expect.poll(async () => (await complete(200)).degraded, { interval: 20 }).toEqual([]);
  };

  it('answers as the embedded one does', async (context) => {
    running(context);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(update, { maxLength: 30 }), fc.integer({ min: 0, max: 21 }), fc.integer({ min: 1, max: 6 }), async (updates, before, limit) => {
        run += 1;
        const own = (of: string): string => `${run} ${of}`;
        const ours = updates.map((one) => ('event' in one ? { event: { ...one.event, user: own(one.event.user) } } : 'user' in one ? { ...one, user: own(one.user) } : { ...one, item: own(one.item) }));
        for (const store of [lmdb, remote]) await store.write(ours);
        const query = { userId: own('1'), itemIds: [own('2'), null, own('é'), own('2')], sequences: ['s', 't'], before, limit };
        expect(await remote.lookup(query)).toEqual(await lmdb.lookup(query));
      }),
      { numRuns: 60 },
    );
  });

  it('loses no update of several at a time to one record', async (context) => {
    const server = running(context);
    const others = await Promise.all(Array.from({ length: 4 }, () => openFeatureStore(server.url)));
    await Promise.all(others.flatMap((store, from) => Array.from({ length: 100 }, (_, index) => store.write([{ user: 'shared', features: { [`${from} ${index}`]: index } }]))));
    const { user } = await remote.lookup({ userId: 'shared', itemIds: [], sequences: [], before: 0, limit: 1 });
    expect(Object.keys(user!)).toHaveLength(400);
    // What waits together is in the order it came in.
    await Promise.all(Array.from({ length: 50 }, (_, index) => remote.write([{ item: 'last', features: { n: index } }])));
    expect((await remote.lookup({ userId: undefined, itemIds: ['last'], sequences: [], before: 0, limit: 1 })).items).toEqual([{ n: 49 }]);
    for (const store of others) await store.close();
  });

  it('lets one write that fails take no other with it', async (context) => {
    const raw = new Redis(running(context).url);
    await raw.set('onefold:events:s@of another kind', 'a text');
    raw.disconnect();
    const first = remote.write([{ user: 'first', features: { a: 1 } }]);
    const waiting = await Promise.allSettled([remote.write([{ event: { sequence: 's', user: 'of another kind', time: 2, fields: {} } }]), remote.write([{ user: 'beside', features: { a: 1 } }])]);
    await first;
    expect(waiting.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect((await remote.lookup({ userId: 'beside', itemIds: [], sequences: [], before: 0, limit: 1 })).user).toEqual({ a: 1 });
  });

  it('takes a field of any name for a field alone', async (context) => {
    running(context);
    await remote.write([{ event: { sequence: 's', user: 'odd', time: 1, fields: JSON.parse('{"__proto__": "x"}') as Record<string, string> } }]);
    const { events } = await remote.lookup({ userId: 'odd', itemIds: [], sequences: ['s'], before: 2, limit: 1 });
    expect(Object.entries(events[0]!.fields)).toEqual([['__proto__', ['x']]]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('keeps the newest of very many events, and forgets what has expired', async (context) => {
    running(context);
    await remote.write([...Array.from({ length: KEPT_EVENTS + 10 }, (_, time) => ({ event: { sequence: 'h', user: 'busy', time, fields: { pin: 'p' } } }))]);
    await remote.write([{ item: 'brief', features: { a: 1 }, ttl: 1 }]);
    const query = { userId: 'busy', itemIds: ['brief'], sequences: ['h'], before: Infinity, limit: 5000 };
    const found = await remote.lookup(query);
    expect(found.events[0]!.times).toEqual(Array.from({ length: KEPT_EVENTS }, (_, index) => index + 10));
    expect(found.items).toEqual([{ a: 1 }]);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect((await remote.lookup(query)).items).toEqual([undefined]);
    expect((await remote.counts()).histories).toBeGreaterThan(0);
  });

  it('that answers nothing holds few requests up, and is used again when it answers', async (context) => {
    const server = running(context);
    await remote.write(FILL);
    await untilWhole();
    server.suspend();
    const began = performance.now();
    const answers = [];
    for (let round = 0; round < 40; round += 1) answers.push(await complete(50));
    const took = performance.now() - began;
    expect(answers.every(({ degraded }) => degraded.join() === 'user,history,items')).toBe(true);
    expect(answers.every(({ request }) => request.requestColumns.size + request.candidateColumns.size === 0)).toBe(true);
    // Three waited in vain, and then nobody did: forty would have taken two seconds.
    expect(took).toBeGreaterThan(100);
    expect(took).toBeLessThan(1000);
    // After a rest, one of many finds out for all.
    await new Promise((resolve) => setTimeout(resolve, 550));
    const waited = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const start = performance.now();
        await complete(1000);
        return performance.now() - start;
      }),
    );
    expect(waited.filter((milliseconds) => milliseconds > 500)).toHaveLength(1);
    server.resume();
    await untilWhole();
  });

  it('that stops is done without until it is back', async (context) => {
    const server = running(context);
    await server.kill();
    await expect.poll(async () => (await complete(200)).degraded).toEqual(['user', 'history', 'items']);
    await expect(applyUpdate(remote, FILL)).rejects.toMatchObject({ code: 'unavailable' });
    await server.restart();
    await untilWhole();
    expect((await complete(5000)).request.candidateColumns.size).toBe(0);
    await remote.write(FILL);
    const { request } = await complete(5000);
    expect([...request.requestColumns.keys(), ...request.candidateColumns.keys()]).toEqual(['country', 'history.pin', 'brand']);
  });
});

it('says where a store does not answer, and keeps its password', async () => {
  const store = openRedisStore('redis://someone:secret@127.0.0.1:1');
  const failed = await store.counts().catch((error: unknown) => error);
  await store.close();
  expect(failed).toBeInstanceOf(IoError);
  expect(failed).toMatchObject({ where: 'redis://127.0.0.1:1' });
  expect(String((failed as Error).message)).not.toContain('secret');
});
