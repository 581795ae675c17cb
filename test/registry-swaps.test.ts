/** Versions of a registry that come, go and turn out broken while others serve. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ArtifactError } from '../src/config/errors.js';
import { EXPORT_FILES } from '../src/export/manifest.js';
import { publish } from '../src/serve/registry/publish.js';
import { openRegistry, type Registry } from '../src/serve/registry/registry.js';
import { DEFAULT_SERVER_OPTIONS } from '../src/serve/server-options.js';
import { startEngine, type StartedEngine } from '../src/serve/start-engine.js';
import type { SwapEvent } from '../src/serve/version-keeper.js';
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
