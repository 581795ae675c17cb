import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scoreBody } from '../../test/support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from '../../test/support/served-shop.js';
import { Engine } from './engine/engine.js';
import type { EngineOptions } from './engine/engine-options.js';
import { LoadedVersion } from './engine/loaded-version.js';
import type { FeatureStore } from './features/feature-store.js';
import { inputsOf } from './json/raw-inputs.js';
import { readScoreRequest } from './json/read-score-request.js';
import type { RequestLine } from './observe/request-log.js';
import { ServeMetrics } from './observe/serve-metrics.js';
import { NO_TRACING } from './observe/tracing.js';
import type { RawRequest } from './raw-request.js';
import { Readiness } from './readiness.js';
import { ScoringService, type ScoringServiceOptions } from './scoring-service.js';
import { DEFAULT_SERVER_OPTIONS } from './server-options.js';

let shop: ServedShop;
let golden: readonly GoldenRequest[];
let engine: Engine;
let metrics: ServeMetrics;
/** Requests as they are logged, and those whose features are. */
let lines: RequestLine[];
let logged: (readonly [version: string, requestId: string | undefined])[];
/** Requests of all runs. */
let run: number;

beforeAll(async () => {
  shop = await createServedShop();
  golden = await shop.golden('feed');
});
afterAll(() => shop.remove());

beforeEach(() => {
  metrics = new ServeMetrics();
  [lines, logged, run] = [[], [], 0];
});
afterEach(async () => {
  metrics.close();
  await engine.close(1000);
});

const start = async (names: readonly string[], admission: EngineOptions['admission'] = { maxQueue: 100, maxWaitMs: 60_000 }): Promise<void> => {
  const events = { batch: ({ requests }: { readonly requests: number }) => { run += requests; } };
  engine = new Engine({ workers: 1, threads: 1, userCacheBytes: 0, batch: { maxRequests: 4, maxCandidates: 1024 }, batchWaitMs: 0, admission, timeoutMs: 60_000, priorities: {}, events });
  await engine.replace(names.map((version) => new LoadedVersion({ ...shop.exports.feed, version })), { feed: names[0]! }, () => Promise.resolve());
  metrics.versions(engine.surfaces());
};

const serviceWith = (options: Partial<ScoringServiceOptions> = {}): ScoringService =>
  new ScoringService({
    engine,
    readiness: new Readiness(() => true),
    metrics,
    tracing: NO_TRACING,
    store: undefined,
    featureLog: { log: (request, { version }, surface) => { logged.push([`${version} ${surface.version}`, request.requestId]); }, counts: { written: 0, dropped: 0 }, close: () => Promise.resolve() },
    onRequest: (line) => lines.push(line),
    ...options,
  });

const requestOf = (index: number, more: Partial<RawRequest> = {}): RawRequest => {
  const body = scoreBody('feed', golden[index % golden.length]!, inputsOf(shop.exports.feed.encoders, shop.exports.feed.manifest));
  return { ...readScoreRequest(body, (surface, name) => engine.find(surface, name)?.served, DEFAULT_SERVER_OPTIONS), ...more };
};

const requests = (count: number, more: Partial<RawRequest> = {}): readonly RawRequest[] => Array.from({ length: count }, (_, index) => requestOf(index, { requestId: `r${index}`, ...more }));

const codeOf = (scored: Promise<unknown>): Promise<string> => scored.then(() => 'ok', (error: unknown) => (error as { code: string }).code);

it('a request took its time from when it came, not from when it was read', async () => {
  await start(['v1']);
  const service = serviceWith().for('json');
  await service.score(requestOf(0, { arrived: performance.now() - 10_000_000 }));
  await service.score(requestOf(0));
  expect(lines.map(({ milliseconds }) => milliseconds >= 10_000_000)).toEqual([true, false]);
});

describe('requests of one call', () => {
  it('are admitted together: they wait for each other, and what one waits is no reason to refuse another', async () => {
    await start(['v1'], { maxQueue: 8, maxWaitMs: 0 });
    const service = serviceWith().for('oip-rest');
    // From here on it is known that runs take time: requests that come one by one while others wait are refused.
    await service.score(requestOf(0));
    expect(await Promise.all(requests(3).map((request) => codeOf(service.score(request))))).toEqual(['ok', 'overloaded', 'overloaded']);
    const scored = await service.scoreAll(requests(8));
    for (const [index, { scores }] of scored.entries()) expect(Math.abs(scores['click']![0]! - golden[index % golden.length]!.scores['click']![0]!)).toBeLessThan(1e-5);
    // Others that wait are one, as for any request.
    const [single, call] = [codeOf(service.score(requestOf(0))), codeOf(service.scoreAll(requests(2)))];
    expect([await single, await call]).toEqual(['ok', 'overloaded']);
  });

  it('that are more than may wait are too many, now and later', async () => {
    await start(['v1'], { maxQueue: 8, maxWaitMs: 0 });
    await expect(serviceWith().for('oip-rest').scoreAll(requests(9))).rejects.toMatchObject({ code: 'too_large', expected: 'at most 8 in one call', retryAfter: undefined });
    expect(run).toBe(0);
  });

  it('are not run, nor counted or logged as served, once one of them fails', async () => {
    await start(['v1']);
    const wrong = requestOf(0, { requestId: 'wrong', candidateCount: 2, candidateColumns: new Map([['price', { type: 'string', values: ['x', 'y'] }]]) });
    expect(await codeOf(serviceWith().for('oip-rest').scoreAll([...requests(10), wrong]))).toBe('invalid');
    await expect.poll(() => engine.load).toMatchObject({ waiting: 0, running: 0 });
    expect([run, logged]).toEqual([0, []]);
    expect(lines.map(({ requestId, outcome }) => `${requestId!} ${outcome}`)).toEqual([...requests(10).map(({ requestId }) => `${requestId!} invalid`), 'wrong invalid']);
    const text = await metrics.text();
    expect(text).toContain('onefold_requests_total{surface="feed",version="v1",protocol="oip-rest",outcome="invalid"} 11');
    expect(text).not.toContain('outcome="ok"} 1');
    expect(text).not.toMatch(/^onefold_predictions_total\{.*\} [1-9]/mu);
  });
});

describe('a version that is no longer the current one when the feature store answers', () => {
  /** A store that lets something happen before its first answer. */
  const storeWith = (happens: () => Promise<void> | void, asked: string[]): FeatureStore => ({
    lookup: async ({ userId }) => {
      asked.push(userId!);
      if (asked.length === 1) await happens();
      return { user: { age: 30 }, items: [], events: [] };
    },
    write: () => Promise.resolve(),
    counts: () => Promise.resolve({ users: 0, items: 0, histories: 0 }),
    close: () => Promise.resolve(),
  });

  const scored = async (happens: () => Promise<void> | void, more: Partial<RawRequest> = {}): Promise<readonly unknown[]> => {
    const asked: string[] = [];
    const service = serviceWith({ store: { features: storeWith(happens, asked), timeoutMs: 60_000 } }).for('json');
    // Its histories are given, its age is not.
    const request = requestOf(0, { userId: 'u7', ...more });
    const requestColumns = new Map([...request.requestColumns].filter(([name]) => name !== 'age'));
    const outcome = await service.score({ ...request, requestColumns }).then(({ version }) => version, (error: unknown) => (error as { code: string }).code);
    return [outcome, asked.length, ...lines.map(({ version }) => version), ...logged.map(([version]) => version)];
  };

  it('scores what was completed for it, and is what is told of', async () => {
    await start(['v1', 'v2']);
    expect(await scored(() => { engine.point({ feed: 'v2' }); })).toEqual(['v1', 1, 'v1', 'v1 v1']);
    expect(await metrics.text()).toContain('onefold_requests_total{surface="feed",version="v1",protocol="json",outcome="ok"} 1');
  });

  const fallsOut = async (): Promise<void> => {
    await engine.replace([new LoadedVersion({ ...shop.exports.feed, version: 'v3' })], { feed: 'v3' }, () => Promise.resolve());
  };

  it('gives way to the current one where it fell out', async () => {
    await start(['v1']);
    expect(await scored(fallsOut)).toEqual(['v3', 2, 'v3', 'v3 v3']);
  });

  it('that fell out is not found where it was named', async () => {
    await start(['v1']);
    expect(await scored(fallsOut, { version: 'v1' })).toEqual(['not_found', 1, 'v1']);
  });
});
