/** A registry: immutable versions of exports, and one pointer that says which of them serve. */
import { ArtifactError, UsageError } from '../../config/errors.js';
import { followPointer, pointerIsGone } from './follow-pointer.js';
import type { RegistryStorage, StoredPointer } from './registry-storage.js';
import { digestIn } from './version-files.js';

/** Which version of a surface serves, and which one did before. */
export interface PointedVersion {
  readonly version: string;
  /** Where a rollback goes. */
  readonly previous?: string | undefined;
  /** The revision that promoted it: the pointer before that one tells what a rollback restores. */
  readonly since?: number | undefined;
  /** The revision that promoted it once more. */
  readonly again?: number | undefined;
}

/** What serves. It changes as a whole: a reader has all of one state, or all of the next. */
export interface Pointer {
  readonly revision: number;
  readonly surfaces: Readonly<Record<string, PointedVersion>>;
  readonly changedAt: string;
  readonly by: 'publish' | 'promote' | 'rollback';
}

/** A version that is there. */
export interface PublishedVersion {
  readonly surface: string;
  readonly version: string;
}

export interface RegistryOptions {
  /** Of S3-compatible storage; left out: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, else Amazon's. */
  readonly s3Endpoint?: string;
  /** Where versions of a bucket are downloaded to; left out: `onefold/registry` in XDG_CACHE_HOME or ~/.cache. */
  readonly cacheDirectory?: string;
}

const EMPTY: Pointer = { revision: 0, surfaces: {}, changedAt: '', by: 'publish' };

/** Past pointers that are kept. Steps back are changes too: half as many can follow each other. */
const KEPT_POINTERS = 100;

/** How long writers that change the pointer at the same moment take turns; longer than a lock of a killed one holds. */
const GIVE_UP_MS = 30_000;

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Versions of every surface, and what serves. */
export class Registry {
  readonly location: string;
  readonly #storage: RegistryStorage;
  #hadPointer = false;

  constructor(location: string, storage: RegistryStorage) {
    this.location = location;
    this.#storage = storage;
  }

  /**
   * What serves; before the first version, nothing.
   *
   * @throws IoError when the registry cannot be reached, or had a pointer before and has none now
   */
  async current(): Promise<Pointer> {
    return (await this.#read()).pointer;
  }

  /** Every version, of one surface or of all, by name: default names are in the order of publication. */
  async versions(surface?: string): Promise<readonly PublishedVersion[]> {
    const all = await this.#storage.versions();
    return all.filter((one) => surface === undefined || one.surface === surface).sort((a, b) => (`${a.surface}/${a.version}` < `${b.surface}/${b.version}` ? -1 : 1));
  }

  /**
   * Which export a version is: the digest in its manifest. A name may come back for another export once its version was deleted.
   *
   * @returns undefined where there is no such version, or its manifest is damaged
   * @throws IoError when the registry cannot be reached
   */
  async digest(surface: string, version: string): Promise<string | undefined> {
    const text = await this.#storage.readManifest(surface, version);
    return text === undefined ? undefined : digestIn(text);
  }

  /**
   * A local folder with all files of a version; see `verify-once.ts` for whether they are whole.
   *
   * @throws UsageError when a bucket has no such version; ArtifactError when what was downloaded is not whole; IoError
   */
  directory(surface: string, version: string): Promise<string> {
    return this.#storage.directory(surface, version);
  }

  /**
   * Replaces this machine's copy of a version, where that is damaged.
   *
   * @returns undefined where the registry's own files are read, of which there is no other copy
   */
  async renew(surface: string, version: string): Promise<string | undefined> {
    return this.#storage.renew?.(surface, version);
  }

  /** Takes in an export whose files were checked; see `publish.ts`. */
  add(surface: string, version: string, directory: string): Promise<void> {
    return this.#storage.add(surface, version, directory);
  }

  /**
   * Lets versions serve, all at once.
   *
   * @throws UsageError when one is not there
   */
  async promote(wanted: Readonly<Record<string, string>>, by: Pointer['by'] = 'promote'): Promise<Pointer> {
    await this.#checkThere(Object.entries(wanted));
    return this.#change(by, ({ surfaces, revision }) => {
      const changed = Object.entries(wanted).flatMap(([surface, version]): readonly (readonly [string, PointedVersion])[] => {
        const now = surfaces[surface];
        // What serves already keeps the version before it.
        if (now?.version === version) return [[surface, { ...now, again: revision + 1 }]];
        return [[surface, { version, ...(now === undefined ? {} : { previous: now.version }), since: revision + 1 }]];
      });
      return Promise.resolve({ ...surfaces, ...Object.fromEntries(changed) });
    });
  }

  /**
   * Goes back to the versions that served before those that serve were promoted; called again, to those before them.
   *
   * @param surfaces left out: every surface that has a version before
   * @throws UsageError when there is nothing to go back to
   */
  async rollback(surfaces?: readonly string[]): Promise<Pointer> {
    return this.#change('rollback', async ({ surfaces: now }) => {
      const wanted = surfaces ?? Object.keys(now).filter((surface) => now[surface]!.previous !== undefined);
      if (wanted.length === 0) throw nothingBefore(this.location, undefined);
      const restored = await Promise.all(
        [...new Set(wanted)].map(async (surface): Promise<readonly [string, PointedVersion]> => {
          const { previous, since } = now[surface] ?? {};
          if (previous === undefined) throw nothingBefore(this.location, surface);
          return [surface, await this.#before(surface, previous, since)];
        }),
      );
      await this.#checkThere(restored.map(([surface, { version }]) => [surface, version]));
      return { ...now, ...Object.fromEntries(restored) };
    });
  }

  /** Calls back at first and soon after each change of the pointer; `onError` when it cannot be seen for now. See `follow-pointer.ts`. */
  watch(onChange: () => void, onError: (error: unknown) => void, { intervalMs = this.#storage.pollMs }: { readonly intervalMs?: number } = {}): { close(): void } {
    return followPointer(this.#storage, this.location, intervalMs, onChange, onError);
  }

  /** What a surface had when `previous` served; without more before it where that is too long ago. */
  async #before(surface: string, previous: string, since: number | undefined): Promise<PointedVersion> {
    const text = since === undefined ? undefined : await this.#storage.recall(since - 1);
    const then = text === undefined ? undefined : parsePointer(text, `${this.location}/history`).surfaces[surface];
    return then?.version === previous ? then : { version: previous };
  }

  async #checkThere(wanted: readonly (readonly [surface: string, version: string])[]): Promise<void> {
    const there = await this.versions();
    for (const [surface, version] of wanted) {
      if (there.some((one) => one.surface === surface && one.version === version)) continue;
      const own = there.filter((one) => one.surface === surface).map((one) => one.version);
      throw new UsageError(`${this.location} has no version "${version}" of "${surface}"`, {
        where: `${surface}=${version}`,
        expected: own.length === 0 ? 'a surface that was published' : `one of ${own.slice(-10).join(', ')}`,
        fix: 'publish it first, or name one that is there',
      });
    }
  }

  async #read(): Promise<{ readonly stored: StoredPointer | undefined; readonly pointer: Pointer }> {
    const stored = await this.#storage.readPointer();
    if (stored === undefined && this.#hadPointer) throw pointerIsGone(this.location);
    this.#hadPointer = stored !== undefined;
    return { stored, pointer: stored === undefined ? EMPTY : parsePointer(stored.text, `${this.location}/current.json`) };
  }

  /** Reads, changes and writes the pointer, again from the start whenever somebody else was faster: nothing of theirs is lost. */
  async #change(by: Pointer['by'], change: (now: Pointer) => Promise<Pointer['surfaces']>): Promise<Pointer> {
    const started = performance.now();
    for (let tries = 1; performance.now() - started < GIVE_UP_MS; tries += 1) {
      const { stored, pointer: now } = await this.#read();
      const next: Pointer = { revision: now.revision + 1, surfaces: await change(now), changedAt: new Date().toISOString(), by };
      // Before it is replaced: a process that is killed in between has lost no step back.
      if (stored !== undefined) await this.#storage.remember(now.revision, stored.text);
      if (await this.#storage.writePointer(`${JSON.stringify(next, undefined, 2)}\n`, stored?.tag)) {
        await this.#storage.forget(next.revision - KEPT_POINTERS - 1);
        return next;
      }
      await pause(5 + Math.random() * Math.min(500, 20 * tries));
    }
    throw new ArtifactError(`the pointer of ${this.location} is changed by others again and again`, { where: this.location, expected: 'a moment in which nobody else changes it', fix: 'try again' });
  }
}

const parsePointer = (text: string, where: string): Pointer => {
  try {
    const pointer = JSON.parse(text) as Partial<Pointer> | null;
    if (typeof pointer?.revision === 'number' && typeof pointer.surfaces === 'object') return pointer as Pointer;
  } catch {
    // Told below.
  }
  throw new ArtifactError(`${where} is damaged`, { where, expected: 'the pointer of a registry', fix: "put back the newest file of the registry's history folder in its place" });
};

const nothingBefore = (location: string, surface: string | undefined): UsageError =>
  new UsageError(surface === undefined ? `${location}: no surface has a version before the one that serves` : `${location}: nothing served "${surface}" before`, {
    where: surface ?? location,
    expected: 'a surface that was promoted twice',
    fix: 'promote a version by its name: onefold promote SURFACE=VERSION',
  });

/**
 * Opens a registry: a folder, or `s3://bucket/prefix`.
 *
 * @throws UsageError for a location of another kind
 */
export const openRegistry = async (location: string, options: RegistryOptions = {}): Promise<Registry> => {
  if (location.startsWith('s3://')) {
    const { s3Storage } = await import('./s3-storage.js');
    return new Registry(location.replace(/\/+$/, ''), s3Storage(location, options));
  }
  if (/^[a-z]+:\/\//.test(location)) throw new UsageError(`${location} is no registry`, { where: '--registry', expected: 'a folder, or s3://bucket/prefix', fix: 'name one of these' });
  const { localStorage } = await import('./local-storage.js');
  return new Registry(location, localStorage(location));
};
