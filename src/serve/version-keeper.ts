/** Keeps the engine at what its source says: takes new versions in once they are proven, and refuses broken ones. */
import { setTimeout as pause } from 'node:timers/promises';
import { ArtifactError, DataError, IoError, ParityError } from '../config/errors.js';
import type { Current, Engine, TrialScore } from './engine/engine.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import { VersionFailedError } from './engine/version-failure.js';
import type { Target, VersionSource } from './version-source.js';

/** What happened to a version. */
export type SwapEvent =
  | { readonly type: 'swapped'; readonly current: Current; readonly seconds: number }
  /** Back to a version that was still loaded, at once. */
  | { readonly type: 'pointed'; readonly current: Current; readonly seconds: number }
  | { readonly type: 'refused'; readonly surface: string; readonly version: string; readonly error: unknown }
  /** The source does not answer; what serves goes on serving. */
  | { readonly type: 'unreachable'; readonly error: unknown }
  /** A change could not be made, for no fault of a version; it is tried again. */
  | { readonly type: 'failed'; readonly error: unknown };

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

/** Between tries of a change that cannot be made for now; doubled up to the longest where it is not the source that does not answer. */
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/** Tries of a version that threads cannot open, or not run, before it is refused: memory may have been short for a moment. */
const MOST_TRIES = 3;
const TRY_AGAIN_MS = 500;

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

const doesNotRun = ({ key, directory }: LoadedVersion, cause: VersionFailedError): ArtifactError =>
  new ArtifactError(`${key} cannot be opened, or not be run: ${cause.message}`, {
    where: cause.where ?? directory,
    expected: 'an export that this machine can run',
    fix: 'export the model again, or promote the version again if memory was short',
    cause,
  });

/** Applies one change after the other. */
export class VersionKeeper {
  readonly #options: VersionKeeperOptions;
  /** Versions that are loaded, or were opened to be. */
  #loaded = new Map<string, LoadedVersion>();
  /** What was opened for a change that is not made yet: a further try does not read it again. */
  #opened = new Map<string, LoadedVersion>();
  /** Versions that did not pass; they are not tried again while the target stays. */
  #refused = new Map<string, unknown>();
  #last: Promise<void> = Promise.resolve();
  #watcher: { close(): void } | undefined;
  #target: Target = { surfaces: {} };
  #retry: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();

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
    this.#ending.abort();
    clearTimeout(this.#retry);
    this.#watcher?.close();
    await Promise.race([this.#last.catch(() => undefined), new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref())]);
  }

  get #isClosed(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Applies a change; where that fails for now, as on a network, again a little later. */
  #follow(waitMs = RETRY_MS): void {
    this.apply().catch((error: unknown) => {
      if (this.#isClosed) return;
      const isUnreachable = error instanceof IoError;
      this.#options.onEvent({ type: isUnreachable ? 'unreachable' : 'failed', error });
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => {
        this.#follow(isUnreachable ? RETRY_MS : Math.min(2 * waitMs, LONGEST_RETRY_MS));
      }, waitMs);
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
    const tries = new Map<string, number>();
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
        if (this.#isClosed) return;
        const broken = error instanceof VersionFailedError ? await this.#tryAgain(error, versions, current, tries) : error;
        if (broken === undefined) continue;
        if (!(broken instanceof BrokenVersionError)) throw broken;
        this.#refuse(broken.version.surface, broken.version.version, broken.cause);
        continue;
      }
      this.#loaded = versions;
      this.#opened = new Map();
      onEvent({ type: 'swapped', current, seconds: (performance.now() - started) / 1000 });
      return;
    }
  }

  /** Undefined when it is to be tried again; else what is wrong. */
  async #tryAgain(error: VersionFailedError, versions: ReadonlyMap<string, LoadedVersion>, current: Current, tries: Map<string, number>): Promise<Error | undefined> {
    const version = versions.get(error.key)!;
    const tried = (tries.get(error.key) ?? 0) + 1;
    tries.set(error.key, tried);
    if (tried < MOST_TRIES) {
      // Ended early where the server ends: the next try finds that out.
      await pause(TRY_AGAIN_MS * tried, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      return undefined;
    }
    // Where it goes on serving it must be there after the change too.
    const serves = current[version.surface] === version.version && this.#options.engine.find(version.surface, version.version) === version;
    return serves ? error : new BrokenVersionError(version, doesNotRun(version, error));
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
    const before = new Map([...this.#opened, ...this.#loaded]);
    const opened = new Map<string, LoadedVersion>();
    this.#opened = opened;
    for (const [key, [surface, version]] of wanted) {
      try {
        opened.set(key, before.get(key) ?? (await this.#openWhole(surface, version)));
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
    this.#opened.delete(`${surface}/${version}`);
    this.#options.onEvent({ type: 'refused', surface, version, error });
  }
}
