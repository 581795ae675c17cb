/** Keeps the engine at what its source says: takes new versions in once they are proven, and refuses broken ones. */
import { setTimeout as pause } from 'node:timers/promises';
import { IoError } from '../config/errors.js';
import type { Current, TrialScore } from './engine/engine.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import { VersionFailedError } from './engine/version-failure.js';
import { Refusals } from './refusals.js';
import { timerMs } from './timer-ms.js';
import { BrokenVersionError, doesNotRun, isFault, mustStay } from './version-fault.js';
import { VersionOpener, type NamedVersion, type VersionOpenerOptions } from './version-opener.js';
import type { Target } from './version-source.js';

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

export interface VersionKeeperOptions extends VersionOpenerOptions {
  /** Versions beside the current and the previous ones, by surface. */
  readonly alsoLoad: readonly NamedVersion[];
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

/** Applies one change after the other. */
export class VersionKeeper {
  readonly #options: VersionKeeperOptions;
  readonly #opener: VersionOpener;
  readonly #refused = new Refusals();
  #last: Promise<void> = Promise.resolve();
  #watcher: { close(): void } | undefined;
  /** What was to serve when it was last seen. */
  #target: Target = { surfaces: {} };
  /** Reads of the target that began, and the latest of those whose answer counted. */
  #reads = 0;
  #newest = 0;
  /** Loaded versions whose names mean other exports by now. */
  readonly #outdated = new WeakSet<LoadedVersion>();
  /** Versions are being loaded. */
  #isTaking = false;
  #retry: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();

  constructor(options: VersionKeeperOptions) {
    this.#options = options;
    this.#opener = new VersionOpener(options);
  }

  /**
   * Loads what is to serve, and follows the source from then on.
   *
   * @throws what is wrong with a surface none of whose versions passes
   */
  async start(): Promise<void> {
    await this.apply();
    const missing = Object.keys(this.#target.surfaces).find((surface) => this.#options.engine.current[surface] === undefined);
    if (missing !== undefined) throw this.#refused.errorOf(missing, this.#target.surfaces[missing]!.version);
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
    // Versions that are loaded need not wait for others that are being loaded. What goes wrong is told of by what is done in turn.
    if (this.#isTaking) void this.#pointSoon().catch(() => undefined);
    this.#last = this.#last.catch(() => undefined).then(() => this.#apply());
    return this.#last;
  }

  /** As {@link apply}, with another try of what was refused. */
  reload(): Promise<void> {
    this.#refused.forgetAll();
    return this.apply();
  }

  /** Follows nothing any more. A change that is under way is waited for, but not longer than the grace. */
  async close(graceMs: number): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#retry);
    this.#watcher?.close();
    await Promise.race([this.#last.catch(() => undefined), new Promise<void>((resolve) => setTimeout(resolve, timerMs(graceMs)).unref())]);
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
    const started = performance.now();
    for (;;) {
      await this.#pointSoon();
      if (this.#isClosed || this.#isSettled() || !(await this.#take(started))) return;
    }
  }

  /** Reads what is to serve. Of two reads at a time the one that began later counts, whichever ends first. */
  async #look(): Promise<void> {
    this.#reads += 1;
    const read = this.#reads;
    const target = await this.#options.source.target();
    if (read < this.#newest) return;
    this.#newest = read;
    this.#refused.change(this.#target, target);
    this.#target = target;
  }

  /** Lets each surface have what it shall, where that is loaded. */
  async #pointSoon(): Promise<void> {
    const { engine, onEvent } = this.#options;
    const started = performance.now();
    await this.#look();
    const target = this.#target;
    await this.#checkNames();
    // Whoever saw another target meanwhile points to that one.
    if (this.#isClosed || this.#target !== target) return;
    const current = this.#currentOf((surface, version) => this.#isLoaded(surface, version));
    if (isSameCurrent(current, engine.current)) return;
    engine.point(current);
    onEvent({ type: 'pointed', current, seconds: (performance.now() - started) / 1000 });
  }

  /** Whether every surface has what it shall, or the best that there is. */
  #isSettled(): boolean {
    return Object.keys(this.#target.surfaces).every((surface) => {
      const version = this.#choiceOf(surface);
      return version === undefined || this.#isLoaded(surface, version);
    });
  }

  #isLoaded(surface: string, version: string): boolean {
    const found = this.#options.engine.find(surface, version);
    return found !== undefined && !this.#outdated.has(found);
  }

  /** Finds loaded versions that are to serve, and whose names mean other exports by now. */
  async #checkNames(): Promise<void> {
    for (const surface of Object.keys(this.#target.surfaces)) {
      const version = this.#choiceOf(surface);
      const found = version === undefined ? undefined : this.#options.engine.find(surface, version);
      if (found === undefined) continue;
      if (await this.#opener.isStill(found)) this.#outdated.delete(found);
      else this.#outdated.add(found);
    }
  }

  /**
   * Loads the target's versions, without those that turn out broken.
   *
   * @returns whether there is something to look at again; not where no version passes
   */
  async #take(started: number): Promise<boolean> {
    this.#isTaking = true;
    try {
      const tries = new Map<string, number>();
      for (;;) {
        const versions = await this.#open();
        const has = (surface: string, version: string): boolean => versions.has(`${surface}/${version}`);
        if (this.#isClosed || Object.keys(this.#currentOf(has)).length === 0) return false;
        const lost = this.#lostWithout(has);
        if (lost !== undefined) throw mustStay(...lost);
        // All that was new turned out broken.
        if ([...versions.values()].every((version) => this.#opener.isLoaded(version))) return true;
        try {
          const current = await this.#replace([...versions.values()], has);
          this.#opener.forget();
          if (current === undefined) return !this.#options.engine.isClosed;
          this.#options.onEvent({ type: 'swapped', current, seconds: (performance.now() - started) / 1000 });
          return true;
        } catch (error) {
          if (this.#isClosed) return false;
          const broken = error instanceof VersionFailedError ? await this.#tryAgain(error, versions, tries) : error;
          if (broken === undefined) continue;
          if (!(broken instanceof BrokenVersionError)) throw broken;
          this.#refuse(broken.version.surface, broken.version.version, broken.cause);
        }
      }
    } finally {
      this.#isTaking = false;
    }
  }

  /** Undefined where none of it is wanted any more once it is loaded. */
  #replace(versions: readonly LoadedVersion[], has: (surface: string, version: string) => boolean): Promise<Current | undefined> {
    const { engine, prove } = this.#options;
    const choose = async (): Promise<Current | undefined> => {
      // The target may have changed meanwhile, as by a rollback. Where nobody can tell, the last one holds.
      await this.#look().catch(() => undefined);
      // What serves now must not fall out.
      const isWhole = this.#lostWithout(has) === undefined;
      const current = this.#currentOf(has);
      return isWhole && !isSameCurrent(current, engine.current) ? current : undefined;
    };
    return engine.replace(versions, choose, async (version, score) => {
      // What serves already was proven when it came.
      if (this.#opener.isLoaded(version)) return;
      await prove(version, score).catch((error: unknown) => {
        // Whatever else goes wrong, as a thread that stops, says nothing of the version.
        throw isFault(error) ? new BrokenVersionError(version, error) : error;
      });
    });
  }

  /** Undefined when it is to be tried again; else what is wrong. */
  async #tryAgain(error: VersionFailedError, versions: ReadonlyMap<string, LoadedVersion>, tries: Map<string, number>): Promise<Error | undefined> {
    const version = versions.get(error.key)!;
    const tried = (tries.get(error.key) ?? 0) + 1;
    tries.set(error.key, tried);
    if (tried < MOST_TRIES) {
      // Ended early where the server ends: the next try finds that out.
      await pause(TRY_AGAIN_MS * tried, undefined, { signal: this.#ending.signal }).catch(() => undefined);
      return undefined;
    }
    // Where it goes on serving it must be there after the change too.
    const isNeeded = this.#opener.isLoaded(version) && this.#choiceOf(version.surface) === version.version;
    return isNeeded ? error : new BrokenVersionError(version, doesNotRun(version, error));
  }

  /** The version that a surface shall have; what it had before where that one is broken, or else what it would go back to. */
  #choiceOf(surface: string): string | undefined {
    const target = this.#target.surfaces[surface];
    if (target === undefined) return undefined;
    const wanted = this.#refused.has(surface, target.version) ? [this.#options.engine.current[surface], target.previous] : [target.version];
    return wanted.find((version) => version !== undefined && !this.#refused.has(surface, version));
  }

  /** A version that serves, and in whose place its surface would have nothing. */
  #lostWithout(isThere: (surface: string, version: string) => boolean): [surface: string, version: string] | undefined {
    return Object.entries(this.#options.engine.current).find(([surface, version]) => !isThere(surface, version) && !isThere(surface, this.#choiceOf(surface) ?? ''));
  }

  /** For each surface its choice, or what it has now; only what is there. */
  #currentOf(isThere: (surface: string, version: string) => boolean): Current {
    const { engine } = this.#options;
    return Object.fromEntries(
      Object.keys(this.#target.surfaces).flatMap((surface) => {
        const found = [this.#choiceOf(surface), engine.current[surface]].find((version) => version !== undefined && isThere(surface, version));
        return found === undefined ? [] : [[surface, found]];
      }),
    );
  }

  /** Every version that is to be loaded, but those that were refused. */
  #open(): Promise<ReadonlyMap<string, LoadedVersion>> {
    const { engine, alsoLoad } = this.#options;
    const wanted = new Map<string, NamedVersion>();
    const want = (surface: string, version: string | undefined): void => {
      if (version !== undefined && !this.#refused.has(surface, version)) wanted.set(`${surface}/${version}`, { surface, version });
    };
    for (const [surface, { version, previous }] of Object.entries(this.#target.surfaces)) {
      want(surface, version);
      want(surface, previous);
      // What serves now is kept: it is what a refused version leaves in place, and where a rollback goes.
      want(surface, engine.current[surface]);
    }
    for (const { surface, version } of alsoLoad) want(surface, version);
    return this.#opener.open(wanted.values(), ({ surface, version }, error) => {
      this.#refuse(surface, version, error);
    });
  }

  #refuse(surface: string, version: string, error: unknown): void {
    this.#refused.add(surface, version, error);
    this.#options.onEvent({ type: 'refused', surface, version, error });
  }
}

const isSameCurrent = (one: Current, other: Current): boolean =>
  Object.keys(one).length === Object.keys(other).length && Object.entries(one).every(([surface, version]) => other[surface] === version);
