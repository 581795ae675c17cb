/** The engine and what keeps its versions, in process: swaps under load, threads that stop, deadlines, versions that predict something else. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ParityError } from '../src/config/errors.js';
import { digestOf, EXPORT_FILES, type ExportManifest } from '../src/export/manifest.js';
import { LoadedVersion } from '../src/serve/engine/loaded-version.js';
import { Engine } from '../src/serve/engine/engine.js';
import type { EngineOptions } from '../src/serve/engine/engine-options.js';
import { WorkerGoneError, WorkerPool } from '../src/serve/engine/worker-pool.js';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { readScoreRequest } from '../src/serve/json/read-score-request.js';
import type { RawRequest } from '../src/serve/raw-request.js';
import { publish } from '../src/serve/registry/publish.js';
import { openRegistry } from '../src/serve/registry/registry.js';
import { DEFAULT_SERVER_OPTIONS } from '../src/serve/server-options.js';
import { startEngine } from '../src/serve/start-engine.js';
import { VersionKeeper, type SwapEvent } from '../src/serve/version-keeper.js';
import type { Target, VersionSource } from '../src/serve/version-source.js';
import { scoreBody } from './support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';
import { runSql } from './support/shop-project.js';

let shop: ServedShop;
let scratch: string;
let golden: readonly GoldenRequest[];

beforeAll(async () => {
  shop = await createServedShop();
  golden = await shop.golden('feed');
});
afterAll(() => shop.remove());

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'onefold-engine-'));
  vi.stubEnv('XDG_CACHE_HOME', join(scratch, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

const version = (name: string): LoadedVersion => new LoadedVersion({ ...shop.exports.feed, version: name });

const OPTIONS: EngineOptions = { workers: 1, threads: 1, userCacheBytes: 0, batch: { maxRequests: 16, maxCandidates: 1024 }, batchWaitMs: 0, admission: { maxQueue: 10_000, maxWaitMs: 60_000 }, timeoutMs: 60_000, priorities: {}, events: {} };

const threads = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Worker' || name === 'MessagePort').length;

const unchecked = (): Promise<void> => Promise.resolve();

const engineOf = async (names: readonly string[], options: Partial<EngineOptions> = {}): Promise<Engine> => {
  const engine = new Engine({ ...OPTIONS, ...options });
  await engine.replace(names.map(version), { feed: names[0]! }, unchecked);
  return engine;
};

const requestOf = (engine: Engine, index: number, more: Partial<RawRequest> = {}): RawRequest => {
  const body = scoreBody('feed', golden[index % golden.length]!, inputsOf(shop.exports.feed.encoders, shop.exports.feed.manifest));
  return { ...readScoreRequest(body, (surface, name) => engine.find(surface, name)?.served, DEFAULT_SERVER_OPTIONS), ...more };
};

describe('a swap under load', () => {
  it('answers what waits for a version that falls out', async () => {
    const engine = await engineOf(['v1', 'v2']);
    const outcomes: string[] = [];
    const clients = Array.from({ length: 20 }, async (_, client) => {
      for (let index = client; ; index += 20) {
        const request = requestOf(engine, index, { version: 'v1' });
        const outcome = await engine.score(request).then(
          (scored) => (Math.abs(scored.scores['click']![0]! - golden[index % golden.length]!.scores['click']![0]!) < 1e-5 ? 'ok' : 'wrong'),
          (error: unknown) => (error as { code: string }).code,
        );
        outcomes.push(outcome);
        if (outcome !== 'ok') return;
      }
    });
    await expect.poll(() => outcomes.length).toBeGreaterThan(50);
    await engine.replace(['v2', 'v3'].map(version), { feed: 'v3' }, unchecked);
    await Promise.all(clients);
    // Nobody is told of a defect: whoever asked before is answered, and then there is no such version.
    expect([...new Set(outcomes)]).toEqual(['ok', 'not_found']);
    expect(engine.load).toMatchObject({ waiting: 0, running: 0 });
    await engine.close(0);
  });

  it('waits for nobody who is answered by the threads before', async () => {
    const engine = await engineOf(['v1'], { batchWaitMs: 20_000 });
    let isAnswered = false;
    const before = engine.score(requestOf(engine, 0)).catch((error: unknown) => error).finally(() => {
      isAnswered = true;
    });
    expect(await engine.replace([version('v2')], { feed: 'v2' }, unchecked)).toEqual({ feed: 'v2' });
    expect([isAnswered, engine.load.waiting]).toEqual([false, 1]);
    await engine.close(0);
    expect(await before).toMatchObject({ code: 'unavailable' });
  });

  it('forgets no thread that stopped', async () => {
    const engine = await engineOf(['v1']);
    for (let lost = 1; lost <= 3; lost += 1) {
      await engine.stopWorker();
      await expect.poll(() => engine.load.restarts).toBe(lost);
      await engine.score(requestOf(engine, lost));
    }
    await engine.replace([version('v2')], { feed: 'v2' }, unchecked);
    expect(engine.load.restarts).toBe(3);
    await engine.close(0);
  });
});

describe('an engine that is closed', () => {
  it('ends the threads that it is starting, and those whose versions are being checked', async () => {
    const before = threads();
    for (const isChecking of [false, true]) {
      const engine = await engineOf(['v1']);
      let check: () => void = () => undefined;
      const checking = new Promise<void>((resolve) => {
        check = resolve;
      });
      const swap = engine.replace([version('v2')], { feed: 'v2' }, async () => {
        check();
        await new Promise((resolve) => setTimeout(resolve, 500));
      });
      if (isChecking) await checking;
      await engine.close(0);
      expect(threads()).toBe(before);
      expect(await swap).toBeUndefined();
      expect(await engine.replace([version('v3')], { feed: 'v3' }, unchecked)).toBeUndefined();
    }
    expect(threads()).toBe(before);
  });

  it('waits longer than a timer can for what came before', async () => {
    const engine = await engineOf(['v1'], { batchWaitMs: 200 });
    const scored = engine.score(requestOf(engine, 0));
    await engine.close(3e9);
    expect(await scored).toMatchObject({ version: 'v1' });
  });
});

describe('a deadline', () => {
  const timed = async (score: () => Promise<unknown>): Promise<readonly [unknown, number]> => {
    const started = performance.now();
    const code = await score().then(() => 'ok', (error: unknown) => (error as { code: string }).code);
    return [code, performance.now() - started];
  };

  it('is kept while nothing else happens', async () => {
    const directory = join(scratch, 'feed');
    cpSync(shop.exports.feed.directory, directory, { recursive: true });
    const engine = new Engine(OPTIONS);
    await engine.replace([new LoadedVersion({ ...shop.exports.feed, directory, version: 'v1' })], { feed: 'v1' }, unchecked);
    await engine.score(requestOf(engine, 0));
    // No thread takes the place of the one that stops: there will be no run.
    rmSync(join(directory, EXPORT_FILES.candidateGraph));
    void engine.stopWorker();
    await new Promise((resolve) => setImmediate(resolve));
    const [code, milliseconds] = await timed(() => engine.score(requestOf(engine, 0, { deadline: performance.now() + 50 })));
    expect(code).toBe('deadline');
    expect(milliseconds).toBeGreaterThan(45);
    await engine.close(0);
  });

  it('is not missed by waiting for others', async () => {
    const engine = await engineOf(['v1'], { batchWaitMs: 20_000 });
    const [code, milliseconds] = await timed(() => engine.score(requestOf(engine, 0, { deadline: performance.now() + 4000 })));
    expect([code, milliseconds < 4000]).toEqual(['ok', true]);
    await engine.close(0);
  });

  it('is not missed by the waiting of another', async () => {
    const engine = await engineOf(['v1', 'v2'], { batchWaitMs: 20_000 });
    for (const named of ['v1', 'v2']) {
      const other = engine.score(requestOf(engine, 0)).catch(() => undefined);
      const [code, milliseconds] = await timed(() => engine.score(requestOf(engine, 1, { version: named, deadline: performance.now() + 4000 })));
      expect([code, milliseconds < 4000]).toEqual(['ok', true]);
      await other;
    }
    await engine.close(0);
  });

  it('that is over is called that', async () => {
    const engine = await engineOf(['v1']);
    expect((await timed(() => engine.score(requestOf(engine, 0, { deadline: performance.now() - 1 }))))[0]).toBe('deadline');
    await engine.close(0);
  });
});

describe('a version that predicts something else than it did', () => {
  /** A copy of an export whose golden rows say something else, with checksums that are right. */
  const altered = async (surface: 'feed' | 'search', directory: string): Promise<string> => {
    cpSync(shop.exports[surface].directory, directory, { recursive: true });
    const [from, to] = [join(shop.exports[surface].directory, EXPORT_FILES.golden), join(directory, EXPORT_FILES.golden)];
    const task = shop.exports[surface].manifest.tasks[0]!;
    await runSql(scratch, `COPY (SELECT * REPLACE ("probability.${task}" / 2 AS "probability.${task}") FROM read_parquet('${from}')) TO '${to}' (FORMAT parquet)`);
    const path = join(directory, EXPORT_FILES.manifest);
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as ExportManifest & { digest?: string };
    delete manifest.digest;
    const files = manifest.files.map((file) => (file.path === EXPORT_FILES.golden ? { ...file, bytes: statSync(to).size, sha256: createHash('sha256').update(readFileSync(to)).digest('hex') } : file));
    const changed = { ...manifest, files };
    writeFileSync(path, JSON.stringify({ ...changed, digest: digestOf(changed) }));
    return directory;
  };

  it('is refused at each start', async () => {
    const broken = await altered('feed', join(scratch, 'broken'));
    for (let start = 0; start < 2; start += 1) await expect(startEngine({ ...DEFAULT_SERVER_OPTIONS, exports: [broken] }, {})).rejects.toThrow(ParityError);
  });

  it('is refused for each surface of a registry, and what was before serves', async () => {
    const location = join(scratch, 'registry');
    const registry = await openRegistry(location);
    await publish(registry, { exports: Object.values(shop.exports).map(({ directory }) => directory), version: 'good', promote: true });
    for (const surface of ['feed', 'search'] as const) await altered(surface, join(location, 'versions', surface, 'bad'));
    await registry.promote({ feed: 'bad', search: 'bad' });
    for (let start = 0; start < 2; start += 1) {
      const refused: string[] = [];
      const { engine, keeper } = await startEngine({ ...DEFAULT_SERVER_OPTIONS, registry: location }, { swap: (event) => event.type === 'refused' && refused.push(`${event.surface}/${event.version}`) });
      expect(engine.current).toEqual({ feed: 'good', search: 'good' });
      expect(refused.sort()).toEqual(['feed/bad', 'search/bad']);
      await keeper.close(1000);
      await engine.close(0);
    }
  });
});

describe('threads', () => {
  it('that are asked to end while one of them starts end one after the other, and each is counted', async () => {
    const loaded = new LoadedVersion({ ...shop.exports.feed, version: 'v1' });
    const [gone, failures]: [string[], unknown[]] = [[], []];
    const pool = new WorkerPool({ versions: [{ key: loaded.key, directory: loaded.directory }], workers: 2, threads: 1, userCacheBytes: 0, onIdle: () => undefined, onGone: (reason) => gone.push(reason), onFailed: (error) => failures.push(error) });
    await pool.open();
    await Promise.all(Array.from({ length: 6 }, () => pool.stopOne()));
    expect([gone.length, failures]).toEqual([6, []]);
    await expect.poll(() => pool.hasIdle).toBe(true);
    // Nobody is left waiting for a thread where there will be none.
    await Promise.all([pool.stopOne(), pool.stopOne()]);
    const waiting = [pool.stopOne(), pool.runSoon(loaded.key, []).catch((error: unknown) => error)] as const;
    await pool.close();
    expect(await Promise.all(waiting)).toEqual([undefined, expect.any(WorkerGoneError)]);
  });

  it('that cannot be replaced are tried again, leave nothing behind, and are not counted', async () => {
    const directory = join(scratch, 'feed');
    cpSync(shop.exports.feed.directory, directory, { recursive: true });
    const loaded = new LoadedVersion({ ...shop.exports.feed, directory, version: 'v1' });
    const failures: unknown[] = [];
    const before = threads();
    const pool = new WorkerPool({ versions: [{ key: loaded.key, directory }], workers: 1, threads: 1, userCacheBytes: 0, onIdle: () => undefined, onGone: () => undefined, onFailed: (error) => failures.push(error) });
    await pool.open();
    const { packed } = loaded.prepare(readScoreRequest(scoreBody('feed', golden[0]!, loaded.served.inputs), () => loaded.served, DEFAULT_SERVER_OPTIONS));
    const expectAnswer = async (): Promise<void> => {
      const { scores } = await pool.runSoon(loaded.key, [packed]);
      expect(Math.abs(scores[0]! - golden[0]!.scores[loaded.tasks[0]!]![0]!)).toBeLessThan(1e-5);
    };
    await expectAnswer();
    // A thread that stops is waited for.
    const stopped = pool.stopOne();
    await expectAnswer();
    await stopped;
    const [graph, away] = [join(directory, EXPORT_FILES.candidateGraph), join(directory, 'away')];
    renameSync(graph, away);
    await pool.stopOne();
    await expect(pool.runSoon(loaded.key, [packed])).rejects.toThrow(/candidate\.onnx/);
    await expect.poll(() => failures.length).toBeGreaterThan(2);
    expect(pool.alive).toBe(0);
    expect(threads()).toBeLessThanOrEqual(before + 1);
    renameSync(away, graph);
    await expect.poll(() => pool.hasIdle).toBe(true);
    expect(pool.alive).toBe(1);
    await expectAnswer();
    await pool.close();
    expect(threads()).toBe(before);
  });
});

describe('a keeper', () => {
  const source = (target: () => Promise<Target>): VersionSource => ({ target, digest: () => Promise.resolve(undefined), directory: (_, name) => Promise.resolve(name), renew: () => Promise.resolve(undefined), watch: () => ({ close: () => undefined }) });

  it('does not hold a failure of the check against the version', async () => {
    const engine = new Engine(OPTIONS);
    const events: SwapEvent['type'][] = [];
    let now = 'v1';
    let failure: Error | undefined;
    const keeper = new VersionKeeper({
      engine,
      source: source(() => Promise.resolve({ surfaces: { feed: { version: now } } })),
      alsoLoad: [],
      open: (_, name) => Promise.resolve(version(name)),
      prove: () => (failure === undefined ? Promise.resolve() : Promise.reject(failure)),
      onEvent: ({ type }) => events.push(type),
    });
    await keeper.start();
    now = 'v2';
    failure = new Error('a thread stopped');
    await expect(keeper.apply()).rejects.toThrow('a thread stopped');
    expect(engine.current).toEqual({ feed: 'v1' });
    failure = undefined;
    await keeper.apply();
    expect(engine.current).toEqual({ feed: 'v2' });
    expect(events).toEqual(['swapped', 'swapped']);
    await keeper.close(1000);
    await engine.close(0);
  });

  it('ends although its source never answers', async () => {
    const engine = await engineOf(['v1']);
    const keeper = new VersionKeeper({ engine, source: source(() => new Promise(() => undefined)), alsoLoad: [], open: (_, name) => Promise.resolve(version(name)), prove: unchecked, onEvent: () => undefined });
    void keeper.apply();
    const started = performance.now();
    await keeper.close(100);
    expect(performance.now() - started).toBeLessThan(2000);
    await engine.close(0);
  });
});
