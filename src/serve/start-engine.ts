/** An engine that serves what its source says: the part that a server and a library share. */
import { Engine } from './engine/engine.js';
import type { EngineEvents } from './engine/engine-options.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import { openVersion, proveVersion } from './open-version.js';
import type { ServerOptions } from './server-options.js';
import { VersionKeeper, type SwapEvent } from './version-keeper.js';
import { folderSource, type VersionSource } from './version-source.js';
import { UsageError } from '../config/errors.js';
import type { Registry } from './registry/registry.js';

export interface StartedEngine {
  readonly engine: Engine;
  readonly keeper: VersionKeeper;
  /** Where versions are published; undefined where folders are served. */
  readonly registry: Registry | undefined;
}

export type EngineSettings = Pick<
  ServerOptions,
  'exports' | 'registry' | 's3Endpoint' | 'alsoLoad' | 'workers' | 'threads' | 'maxBatchRequests' | 'maxBatchCandidates' | 'batchWaitMs' | 'userCacheMb' | 'maxQueue' | 'maxWaitMs' | 'timeoutMs' | 'priorities'
>;

const sourceOf = async ({ exports, registry, s3Endpoint, alsoLoad }: EngineSettings): Promise<{ readonly source: VersionSource; readonly registry: Registry | undefined }> => {
  if ((exports.length > 0) === (registry !== undefined)) {
    throw new UsageError(registry === undefined ? 'nothing to serve' : 'exports and a registry', { where: 'EXPORT', expected: 'folders of exports, or --registry', fix: 'give one of the two' });
  }
  if (registry === undefined && alsoLoad.length > 0) {
    throw new UsageError('folders of exports have no other versions', { where: '--load', expected: '--registry', fix: 'publish the exports, and serve the registry' });
  }
  if (registry === undefined) return { source: await folderSource(exports), registry: undefined };
  const [{ openRegistry }, { registrySource }] = await Promise.all([import('./registry/registry.js'), import('./registry/registry-source.js')]);
  const opened = await openRegistry(registry, s3Endpoint === undefined ? {} : { s3Endpoint });
  return { source: registrySource(opened), registry: opened };
};

const alsoLoadOf = (texts: readonly string[]): readonly { readonly surface: string; readonly version: string }[] =>
  texts.map((text) => {
    const at = text.indexOf('=');
    return { surface: text.slice(0, at), version: text.slice(at + 1) };
  });

/**
 * Opens what is to serve, and follows it.
 *
 * @throws ArtifactError, ParityError when a surface has no version that passes; UsageError
 */
export const startEngine = async (options: EngineSettings, events: EngineEvents & { readonly swap?: (event: SwapEvent) => void }): Promise<StartedEngine> => {
  const { source, registry } = await sourceOf(options);
  const engine = new Engine({
    workers: options.workers,
    threads: options.threads,
    userCacheBytes: Math.round(options.userCacheMb * 2 ** 20),
    batch: { maxRequests: options.maxBatchRequests, maxCandidates: options.maxBatchCandidates },
    batchWaitMs: options.batchWaitMs,
    admission: { maxQueue: options.maxQueue, maxWaitMs: options.maxWaitMs },
    timeoutMs: options.timeoutMs,
    priorities: options.priorities,
    events,
  });
  /** Versions that are new to this machine, with what keeps in mind that they passed. */
  const unproven = new WeakMap<LoadedVersion, () => Promise<void>>();
  const keeper = new VersionKeeper({
    engine,
    source,
    alsoLoad: alsoLoadOf(options.alsoLoad),
    open: async (_surface, version, directory) => {
      const { loaded, remember } = await openVersion(version, directory);
      if (remember !== undefined) unproven.set(loaded, remember);
      return loaded;
    },
    prove: async (version, score) => {
      const remember = unproven.get(version);
      // At a start, what passed on this machine before need not again.
      if (remember === undefined && !engine.isReady) return;
      await proveVersion(version, score);
      await remember?.();
    },
    onEvent: (event) => events.swap?.(event),
  });
  try {
    await keeper.start();
  } catch (error) {
    await engine.close(0);
    throw error;
  }
  return { engine, keeper, registry };
};
