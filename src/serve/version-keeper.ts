/** Keeps the engine at what its source says: takes new versions in once they are proven, and refuses broken ones. */
import { ArtifactError, DataError, IoError, ParityError } from '../config/errors.js';
import type { Current, Engine, TrialScore } from './engine/engine.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import type { Target, VersionSource } from './version-source.js';

/** What happened to a version. */
export type SwapEvent =
  | { readonly type: 'swapped'; readonly current: Current; readonly seconds: number }
  /** Back to a version that was still loaded, at once. */
  | { readonly type: 'pointed'; readonly current: Current; readonly seconds: number }
  | { readonly type: 'refused'; readonly surface: string; readonly version: string; readonly error: unknown }
  /** The source does not answer; what serves goes on serving. */
  | { readonly type: 'unreachable'; readonly error: unknown };

export interface VersionKeeperOptions {
  readonly engine: Engine;
  readonly source: VersionSource;
  /** Versions beside the current and the previous ones, by surface. */
  readonly alsoLoad: readonly { readonly surface: string; readonly version: string }[];
  /** Reads a version after checking its files. */
  readonly open: (surface: string, version: string, directory: string) => Promise<LoadedVersion>;
  /** Holds what a version predicts against its golden rows. */
  readonly prove: (version: LoadedVersion, score: TrialScore) => Promise<void>;
  readonly onEvent: (event: SwapEvent) => void;
}

/** Between tries of a change that cannot be made for now. */
const RETRY_MS = 1000;

/** A version that did not pass. */
class BrokenVersionError extends Error {
  readonly version: LoadedVersion;

  constructor(version: LoadedVersion, cause: unknown) {
    super(`${version.key} is broken`, { cause });
    this.version = version;
  }
}

/** Errors that are about an export itself. */
const isFault = (error: unknown): boolean => error instanceof ArtifactError || error instanceof ParityError || error instanceof DataError;

/** Applies one change after the other. */
export class VersionKeeper {
  readonly #options: VersionKeeperOptions;
  /** Versions that are loaded, or were opened to be. */
  #loaded = new Map<string, LoadedVersion>();
  /** Versions that did not pass; they are not tried again while the target stays. */
  #refused = new Map<string, unknown>();
  #last: Promise<void> = Promise.resolve();
  #watcher: { close(): void } | undefined;
  #target: Target = { surfaces: {} };
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: VersionKeeperOptions) {
    this.#options = options;
  }

  /**
   * Loads what is to serve, and follows the source from then on.
   *
   * @throws what is wrong with a surface none of whose versions passes
   */
  async start(): Promise<void> {
    await this.apply();
    const missing = Object.keys(this.#target.surfaces).find((surface) => this.#options.engine.current[surface] === undefined);
    if (missing !== undefined) throw this.#refused.get(`${missing}/${this.#target.surfaces[missing]!.version}`);
    this.#watcher = this.#options.source.watch(
      () => {
        this.#follow();
      },
      (error) => {
        this.#options.onEvent({ type: 'unreachable', error });
      },
    );
  }

  /** Brings the engine to what the source says now. */
  apply(): Promise<void> {
    this.#last = this.#last.catch(() => undefined).then(() => this.#apply());
    return this.#last;
  }

  /** Follows nothing any more. A change that is under way is waited for, but not longer than the grace. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#watcher?.close();
    await Promise.race([this.#last.catch(() => undefined), new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref())]);
  }

  /** Applies a change; where that fails for now, as on a network, again a little later. */
  #follow(): void {
    this.apply().catch((error: unknown) => {
      this.#options.onEvent({ type: 'unreachable', error });
      clearTimeout(this.#retry);
      if (this.#isClosed) return;
      this.#retry = setTimeout(() => {
        this.#follow();
      }, RETRY_MS);
      this.#retry.unref();
    });
  }

  async #apply(): Promise<void> {
    const { engine, source, onEvent } = this.#options;
    const started = performance.now();
    const target = await source.target();
    if (JSON.stringify(target) !== JSON.stringify(this.#target)) this.#refused = new Map();
    this.#target = target;
    const pointed = this.#currentOf(target, (key) => this.#loaded.has(key));
    if (pointed !== undefined && Object.keys(pointed).length === Object.keys(target.surfaces).length && engine.isReady) {
      if (JSON.stringify(pointed) === JSON.stringify(engine.current)) return;
      engine.point(pointed);
      onEvent({ type: 'pointed', current: pointed, seconds: (performance.now() - started) / 1000 });
      return;
    }
    await this.#take(target, started);
  }

  /** Loads the target's versions, without those that turn out broken. */
  async #take(target: Target, started: number): Promise<void> {
    const { engine, onEvent, prove } = this.#options;
    for (;;) {
      const versions = await this.#open(target);
      if (this.#isClosed) return;
      const current = this.#currentOf(target, (key) => versions.has(key)) ?? {};
      if (Object.keys(current).length === 0) return;
      try {
        await engine.replace([...versions.values()], current, async (version, score) => {
          // What serves already was proven when it came.
          if (engine.find(version.surface, version.version) === version) return;
          await prove(version, score).catch((error: unknown) => {
            // Whatever else goes wrong, as a thread that stops, says nothing of the version.
            throw isFault(error) ? new BrokenVersionError(version, error) : error;
          });
        });
      } catch (error) {
        if (!(error instanceof BrokenVersionError)) throw error;
        this.#refuse(error.version.surface, error.version.version, error.cause);
        continue;
      }
      this.#loaded = versions;
      onEvent({ type: 'swapped', current, seconds: (performance.now() - started) / 1000 });
      return;
    }
  }

  /** For each surface the version it shall have, or what it had before where that one is broken. */
  #currentOf(target: Target, isThere: (key: string) => boolean): Current | undefined {
    const { engine } = this.#options;
    return Object.fromEntries(
      Object.entries(target.surfaces).flatMap(([surface, { version, previous }]) => {
        const refused = this.#refused.has(`${surface}/${version}`);
        const wanted = refused ? [engine.current[surface], previous] : [version];
        const found = wanted.find((one) => one !== undefined && isThere(`${surface}/${one}`));
        return found === undefined ? [] : [[surface, found]];
      }),
    );
  }

  /** Every version that is to be loaded, but those that were refused. */
  async #open(target: Target): Promise<Map<string, LoadedVersion>> {
    const { engine, alsoLoad } = this.#options;
    const wanted = new Map<string, readonly [surface: string, version: string]>();
    const want = (surface: string, version: string | undefined): void => {
      if (version !== undefined && !this.#refused.has(`${surface}/${version}`)) wanted.set(`${surface}/${version}`, [surface, version]);
    };
    for (const [surface, { version, previous }] of Object.entries(target.surfaces)) {
      want(surface, version);
      want(surface, previous);
      // What serves now is kept: it is what a refused version leaves in place, and where a rollback goes.
      want(surface, engine.current[surface]);
    }
    for (const { surface, version } of alsoLoad) want(surface, version);
    const opened = new Map<string, LoadedVersion>();
    for (const [key, [surface, version]] of wanted) {
      try {
        opened.set(key, this.#loaded.get(key) ?? (await this.#openWhole(surface, version)));
      } catch (error) {
        // Files that cannot be had now are no broken version.
        if (error instanceof IoError) throw error;
        this.#refuse(surface, version, error);
      }
    }
    return opened;
  }

  /** A copy that was damaged after it was made is made again, once. */
  async #openWhole(surface: string, version: string): Promise<LoadedVersion> {
    const { source, open } = this.#options;
    const directory = await source.directory(surface, version);
    try {
      return await open(surface, version, directory);
    } catch (error) {
      const renewed = error instanceof ArtifactError ? await source.renew(surface, version) : undefined;
      if (renewed === undefined) throw error;
      return open(surface, version, renewed);
    }
  }

  #refuse(surface: string, version: string, error: unknown): void {
    this.#refused.set(`${surface}/${version}`, error);
    this.#options.onEvent({ type: 'refused', surface, version, error });
  }
}
