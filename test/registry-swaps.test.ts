/** Versions of a registry that come, go and turn out broken while others serve. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ArtifactError, ParityError } from '../src/config/errors.js';
import { EXPORT_FILES } from '../src/export/manifest.js';
import { Engine } from '../src/serve/engine/engine.js';
import { LoadedVersion } from '../src/serve/engine/loaded-version.js';
import { publish } from '../src/serve/registry/publish.js';
import { openRegistry, type Registry } from '../src/serve/registry/registry.js';
import { DEFAULT_SERVER_OPTIONS } from '../src/serve/server-options.js';
import { startEngine, type StartedEngine } from '../src/serve/start-engine.js';
import { VersionKeeper, type SwapEvent } from '../src/serve/version-keeper.js';
import type { Target } from '../src/serve/version-source.js';
import { writeAlteredExport } from './support/altered-export.js';
import { createServedShop, type ServedShop } from './support/served-shop.js';

let shop: ServedShop;
let scratch: string;
let location: string;
let registry: Registry;

beforeAll(async () => {
  shop = await createServedShop();
});
afterAll(() => shop.remove());

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'onefold-swaps-'));
  vi.stubEnv('XDG_CACHE_HOME', join(scratch, 'cache'));
  location = join(scratch, 'registry');
  registry = await openRegistry(location);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

const PATIENCE = { timeout: 15_000 };

const feed = (): string => shop.exports.feed.directory;
const both = (): readonly string[] => [shop.exports.feed.directory, shop.exports.search.directory];

/** Runs with an engine that follows the registry. */
const following = async (run: (started: StartedEngine, events: SwapEvent[]) => Promise<void>): Promise<void> => {
  const events: SwapEvent[] = [];
  const started = await startEngine({ ...DEFAULT_SERVER_OPTIONS, workers: 1, registry: location }, { swap: (event) => events.push(event) });
  try {
    await run(started, events);
  } finally {
    await started.keeper.close(10_000);
    await started.engine.close(0);
  }
};

describe.each([EXPORT_FILES.candidateGraph, EXPORT_FILES.golden])('a version whose %s cannot be read, with checksums that are right', (file) => {
  it('is refused, and holds up neither other changes nor the next start', async () => {
    await publish(registry, { exports: both(), version: 'v1', promote: true });
    await publish(registry, { exports: both(), version: 'v2', promote: true });
    await following(async ({ engine }, events) => {
      await publish(registry, { exports: [writeAlteredExport(feed(), join(scratch, 'bad'), { [file]: 'junk' })], version: 'bad', promote: true });
      const refused = (): readonly SwapEvent[] => events.filter(({ type }) => type === 'refused');
      await expect.poll(() => refused().length, PATIENCE).toBe(1);
      expect(refused()[0]).toMatchObject({ surface: 'feed', version: 'bad', error: expect.any(ArtifactError) as unknown });
      await registry.rollback(['search']);
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v2', search: 'v1' });
      expect(events.filter(({ type }) => type === 'unreachable' || type === 'failed')).toEqual([]);
    });
    await following(({ engine }) => {
      expect(engine.current).toEqual({ feed: 'v2', search: 'v1' });
      return Promise.resolve();
    });
  }, 60_000);
});

describe('a version that is damaged in the registry', () => {
  it('is refused, and serves once the same export was published again', async () => {
    await publish(registry, { exports: [feed()], version: 'v1', promote: true });
    await publish(registry, { exports: [feed()], version: 'v2', promote: false });
    truncateSync(join(location, 'versions/feed/v2', EXPORT_FILES.tables), 10);
    await registry.promote({ feed: 'v2' });
    await following(async ({ engine }, events) => {
      expect(events.map(({ type }) => type)).toEqual(['refused', 'swapped']);
      expect(engine.current).toEqual({ feed: 'v1' });
      await publish(registry, { exports: [feed()], version: 'v2', promote: true });
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v2' });
    });
  });
});

describe('a name that comes back for another export, as its version was deleted', () => {
  it('means that one, although the other is loaded still', async () => {
    for (const version of ['v1', 'v2']) await publish(registry, { exports: [feed()], version, promote: true });
    await following(async ({ engine }) => {
      const digest = engine.find('feed')!.digest;
      await registry.rollback();
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v1' });
      rmSync(join(location, 'versions/feed/v2'), { recursive: true });
      await publish(registry, { exports: [writeAlteredExport(feed(), join(scratch, 'other'), {}, { project: 'another' })], version: 'v2', promote: true });
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v2' });
      expect(engine.find('feed')!.manifest.project).toBe('another');
      expect([engine.find('feed')!.digest === digest, engine.find('feed', 'v1')!.digest === digest]).toEqual([false, true]);
    });
  });
});

/** A promise that is settled from outside. */
const gate = (): { readonly open: () => void; readonly passed: Promise<void> } => {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, passed };
};

/** A keeper whose source says what it is told to, with versions of the shop under any names. */
const told = async (surfaces: Target['surfaces'], prove: (key: string) => Promise<void>): Promise<{ readonly engine: Engine; readonly keeper: VersionKeeper; readonly events: SwapEvent[]; readonly opened: string[]; readonly tell: (surfaces: Target['surfaces']) => Promise<void>; readonly close: () => Promise<void> }> => {
  const { workers, threads, timeoutMs } = { ...DEFAULT_SERVER_OPTIONS, workers: 1 };
  const engine = new Engine({ workers, threads, timeoutMs, userCacheBytes: 0, batch: { maxRequests: 16, maxCandidates: 1024 }, batchWaitMs: 0, admission: { maxQueue: 1000, maxWaitMs: 60_000 }, priorities: {}, events: {} });
  const events: SwapEvent[] = [];
  const opened: string[] = [];
  let target: Target = { surfaces };
  const keeper = new VersionKeeper({
    engine,
    source: { target: () => Promise.resolve(target), digest: () => Promise.resolve(undefined), directory: (_, version) => Promise.resolve(version), renew: () => Promise.resolve(undefined), watch: () => ({ close: () => undefined }) },
    alsoLoad: [],
    open: (surface, version) => {
      opened.push(`${surface}/${version}`);
      return Promise.resolve(new LoadedVersion({ ...shop.exports[surface as 'feed' | 'search'], version }));
    },
    prove: ({ key }) => prove(key),
    onEvent: (event) => events.push(event),
  });
  await keeper.start();
  return {
    engine, keeper, events, opened,
    tell: (now) => {
      target = { surfaces: now };
      return keeper.apply();
    },
    close: async () => {
      await keeper.close(10_000);
      await engine.close(0);
    },
  };
};

describe('while a version is loaded', () => {
  it('that is rolled back meanwhile, it never serves, and other surfaces go back at once', async () => {
    const [loaded, proof] = [gate(), gate()];
    const { engine, events, tell, close } = await told({ feed: { version: 'v1' }, search: { version: 'v1' } }, async (key) => {
      if (key !== 'feed/v2') return;
      loaded.open();
      await proof.passed;
    });
    await tell({ feed: { version: 'v1' }, search: { version: 'v2', previous: 'v1' } });
    const swap = tell({ feed: { version: 'v2', previous: 'v1' }, search: { version: 'v2', previous: 'v1' } });
    await loaded.passed;
    void tell({ feed: { version: 'v2', previous: 'v1' }, search: { version: 'v1' } });
    await expect.poll(() => engine.current).toEqual({ feed: 'v1', search: 'v1' });
    const back = tell({ feed: { version: 'v1' }, search: { version: 'v1' } });
    proof.open();
    await Promise.all([swap, back]);
    expect(engine.current).toEqual({ feed: 'v1', search: 'v1' });
    expect(engine.find('feed', 'v2')).toBeUndefined();
    expect(events.map(({ type }) => type)).toEqual(['swapped', 'swapped', 'pointed']);
    await close();
  });
});

describe('a surface whose version was refused', () => {
  it('is settled with what it has: others change without a look at it, until it is to have another or the same again', async () => {
    let isBroken = true;
    const { engine, keeper, events, opened, tell, close } = await told({ feed: { version: 'v1' }, search: { version: 'v1' } }, (key) =>
      key === 'feed/bad' && isBroken ? Promise.reject(new ParityError('another prediction')) : Promise.resolve(),
    );
    await tell({ feed: { version: 'bad', previous: 'v1' }, search: { version: 'v2', previous: 'v1' } });
    expect(engine.current).toEqual({ feed: 'v1', search: 'v2' });
    await tell({ feed: { version: 'bad', previous: 'v1' }, search: { version: 'v1' } });
    expect(engine.current).toEqual({ feed: 'v1', search: 'v1' });
    expect(events.map(({ type }) => type)).toEqual(['swapped', 'refused', 'swapped', 'pointed']);
    expect(opened.filter((key) => key === 'feed/bad')).toHaveLength(1);
    isBroken = false;
    await keeper.reload();
    expect(engine.current).toEqual({ feed: 'bad', search: 'v1' });
    await close();
  });
});

describe('what is wrong for a while', () => {
  const search = (): string => shop.exports.search.directory;
  const broken = (): string => writeAlteredExport(feed(), join(scratch, 'broken'), { [EXPORT_FILES.golden]: 'junk' });
  const refusals = (events: readonly SwapEvent[]): number => events.filter(({ type }) => type === 'refused').length;
  const remove = (version: string): void => {
    rmSync(join(location, 'versions/feed', version), { recursive: true });
  };

  it('a name that meant a broken export, and means again the one that is loaded', async () => {
    for (const version of ['v1', 'v2']) await publish(registry, { exports: both(), version, promote: true });
    await publish(registry, { exports: [search()], version: 'v3', promote: false });
    await following(async ({ engine, keeper }, events) => {
      await registry.rollback(['feed']);
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v1', search: 'v2' });
      remove('v2');
      await publish(registry, { exports: [broken()], version: 'v2', promote: true });
      await expect.poll(() => refusals(events), PATIENCE).toBe(1);
      remove('v2');
      await publish(registry, { exports: [feed()], version: 'v2', promote: false });
      await registry.promote({ feed: 'v2', search: 'v3' });
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v2', search: 'v3' });
      await keeper.reload();
      expect([engine.current, engine.find('feed')?.version]).toEqual([{ feed: 'v2', search: 'v3' }, 'v2']);
    });
  }, 60_000);

  it('a version that serves and cannot be opened again holds others up, but does so in peace, until its surface has one that passes', async () => {
    await publish(registry, { exports: both(), version: 'v1', promote: true });
    await following(async ({ engine, keeper }, events) => {
      await publish(registry, { exports: [broken()], version: 'bad', promote: false });
      await publish(registry, { exports: [search()], version: 'v2', promote: false });
      remove('v1');
      await registry.promote({ feed: 'bad' });
      await expect.poll(() => refusals(events), PATIENCE).toBe(2);
      const replace = vi.spyOn(engine, 'replace');
      await registry.promote({ search: 'v2' });
      await expect(keeper.apply()).rejects.toThrow('feed/v1 serves, but cannot be opened again');
      expect([replace.mock.calls.length, engine.current]).toEqual([0, { feed: 'v1', search: 'v1' }]);
      await publish(registry, { exports: [feed()], version: 'v3', promote: true });
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v3', search: 'v2' });
    });
  }, 60_000);

  it('a version that was repaired and promoted again together with another surface is tried again', async () => {
    await publish(registry, { exports: both(), version: 'v1', promote: true });
    await publish(registry, { exports: [feed()], version: 'v2', promote: false });
    truncateSync(join(location, 'versions/feed/v2', EXPORT_FILES.tables), 10);
    await registry.promote({ feed: 'v2' });
    await following(async ({ engine }, events) => {
      expect([engine.current, refusals(events)]).toEqual([{ feed: 'v1', search: 'v1' }, 1]);
      await publish(registry, { exports: both(), version: 'v2', promote: true });
      await expect.poll(() => engine.current, PATIENCE).toEqual({ feed: 'v2', search: 'v2' });
    });
  }, 60_000);
});
