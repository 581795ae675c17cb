/** Scoring threads that have the same versions open. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { OnefoldError } from '../../config/errors.js';
import { turnOffTelemetry } from '../../config/no-telemetry.js';
import { startThread, stopThread } from '../../config/stoppable-thread.js';
import { unpackError } from '../../train/transferred-error.js';
import { VersionFailedError } from './version-failure.js';
import type { RunResult } from './version-scorer.js';
import type { RunCall, WorkerReply, WorkerSpec } from './worker-protocol.js';

/** A thread loads compiled code only: from sources (tests) the entry is the one in `dist/`. */
const workerEntry = (): URL => {
  const entry = import.meta.url.endsWith('.ts') ? new URL('../../../dist/serve/engine/score-worker.js', import.meta.url) : new URL('./score-worker.js', import.meta.url);
  if (!existsSync(fileURLToPath(entry))) throw new OnefoldError('internal', `${fileURLToPath(entry)} is missing`, { fix: 'compile the package first: npm run build' });
  return entry;
};

/** The thread that had the run is gone: the run can be repeated elsewhere. */
export class WorkerGoneError extends Error {
  constructor(cause: string) {
    super(`the scoring thread stopped during the run: ${cause}`);
    this.name = 'WorkerGoneError';
  }
}

interface Pending {
  readonly id: number;
  readonly key: string;
  readonly resolve: (result: RunResult) => void;
  readonly reject: (error: Error) => void;
}

/** One thread; it has at most one run at a time. */
class PoolWorker {
  readonly #worker: Worker;
  readonly ready: Promise<void>;
  readonly gone: Promise<string>;
  #pending: Pending | undefined;
  #goneFor: string | undefined;
  #isOpen = false;
  #whenGone: ((reason: string) => void) | undefined;

  constructor(spec: WorkerSpec) {
    this.#worker = startThread(workerEntry(), { workerData: spec, name: 'onefold-score' });
    this.gone = new Promise((resolve) => {
      this.#whenGone = resolve;
    });
    this.#worker.on('error', (error) => {
      this.#lose(error instanceof Error ? error.message : String(error));
    });
    this.#worker.on('exit', (code) => {
      this.#lose(`exit code ${code}`);
    });
    this.ready = new Promise((resolve, reject) => {
      void this.gone.then((reason) => {
        reject(new OnefoldError('internal', `a scoring thread did not start: ${reason}`, { fix: 'check the memory that is free' }));
      });
      this.#worker.on('message', (message: WorkerReply) => {
        if ('ready' in message) {
          this.#isOpen = true;
          resolve();
        }
        else if ('failed' in message) reject(new VersionFailedError(message.key, unpackError(message.failed)));
        else this.#settle(message);
      });
    });
    // Whoever waits for it handles a failed start; the thread's end must not be a second, unheard one.
    this.ready.catch(() => undefined);
  }

  /** It has its versions open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isGone(): boolean {
    return this.#goneFor !== undefined;
  }

  run(call: RunCall): Promise<RunResult> {
    if (this.#goneFor !== undefined) return Promise.reject(new WorkerGoneError(this.#goneFor));
    return new Promise((resolve, reject) => {
      this.#pending = { id: call.id, key: call.key, resolve, reject };
      // Copied, not moved: a run that its thread did not finish is repeated.
      this.#worker.postMessage(call);
    });
  }

  /** Ends the thread, after the run it has. */
  async close(): Promise<void> {
    await stopThread(this.#worker);
  }

  /** Ends the thread; the run it has is lost at once. */
  async abandon(): Promise<void> {
    this.#lose('it was told to');
    await this.close();
  }

  #lose(reason: string): void {
    this.#goneFor ??= reason;
    this.#pending?.reject(new WorkerGoneError(reason));
    this.#pending = undefined;
    this.#whenGone?.(reason);
  }

  #settle(message: Exclude<WorkerReply, { readonly ready: true } | { readonly failed: unknown }>): void {
    const pending = this.#pending;
    if (pending?.id !== message.id) return;
    this.#pending = undefined;
    if ('error' in message) pending.reject(new VersionFailedError(pending.key, unpackError(message.error)));
    else pending.resolve({ scores: message.scores, statistics: message.statistics });
  }
}

export interface WorkerPoolOptions extends WorkerSpec {
  readonly workers: number;
  /** A thread is free. */
  readonly onIdle: () => void;
  /** A thread stopped by itself; another takes its place. */
  readonly onGone: (reason: string) => void;
  /** A thread that was to take another's place did not start; it is tried again. */
  readonly onFailed: (error: unknown) => void;
}

/** Threads that one run may lose. */
export const MOST_TRIES = 3;

/** Waits between tries of a thread that does not start: doubled up to this. */
const LONGEST_WAIT_MS = 5_000;

/** Threads that score, replaced when they stop. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #workers: (PoolWorker | undefined)[];
  readonly #idle: PoolWorker[] = [];
  #nextId = 0;
  #running = 0;
  #isClosed = false;
  /** Places whose thread did not start when it was last tried. */
  readonly #failing = new Set<number>();
  /** Whoever waits for a thread. */
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];

  /** Threads that {@link open} starts. */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#workers = new Array<undefined>(options.workers).fill(undefined);
  }

  /**
   * Starts the threads, each with every version open.
   *
   * @throws VersionFailedError when a version does not open; OnefoldError when a thread does not start
   */
  async open(): Promise<void> {
    turnOffTelemetry();
    try {
      await Promise.all(this.#workers.map((_, place) => this.#startWorker(place)));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /** Threads that score, or are about to. */
  get alive(): number {
    return this.#workers.filter((worker, place) => worker !== undefined && !worker.isGone && (worker.isOpen || !this.#failing.has(place))).length;
  }

  get running(): number {
    return this.#running;
  }

  /**
   * Runs on a thread that is idle.
   *
   * @throws WorkerGoneError when the thread stopped before it answered; VersionFailedError when the run failed
   */
  async run(key: string, requests: readonly ArrayBuffer[]): Promise<RunResult> {
    const worker = this.#idle.shift();
    if (worker === undefined) throw new TypeError('no thread is idle');
    this.#nextId += 1;
    this.#running += 1;
    try {
      return await worker.run({ id: this.#nextId, key, requests });
    } finally {
      this.#running -= 1;
      if (!worker.isGone && !this.#isClosed) this.#idle.push(worker);
      this.#becameIdle();
    }
  }

  /**
   * Runs once a thread is idle, and again on another where it stops.
   *
   * @throws WorkerGoneError when several threads stopped before they answered; VersionFailedError when the run failed; what kept a thread
   * from starting
   */
  async runSoon(key: string, requests: readonly ArrayBuffer[]): Promise<RunResult> {
    for (let tries = 1; ; tries += 1) {
      while (!this.hasIdle) {
        if (this.#isClosed) throw new WorkerGoneError('the threads were ended');
        await this.#change();
      }
      try {
        return await this.run(key, requests);
      } catch (error) {
        if (!(error instanceof WorkerGoneError) || tries === MOST_TRIES) throw error;
      }
    }
  }

  /**
   * Takes one thread away in the middle of what it does, as a crash would; another takes its place. Where none is open, the next that is.
   *
   * @throws what keeps threads from starting
   */
  async stopOne(): Promise<void> {
    for (; !this.#isClosed; await this.#change()) {
      const open = this.#workers.find((worker) => worker?.isOpen === true && !worker.isGone);
      if (open !== undefined) return open.abandon();
    }
  }

  /** Ends the threads, each after the run it has, or the version that it opens. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    await Promise.all(this.#workers.map((worker) => worker?.close()));
  }

  /** Settles once a thread is idle, or none will be any more; fails with what keeps one from starting. */
  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  #becameIdle(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    this.#options.onIdle();
  }

  async #startWorker(place: number): Promise<void> {
    const { versions, threads, userCacheBytes } = this.#options;
    const worker = new PoolWorker({ versions, threads, userCacheBytes });
    this.#workers[place] = worker;
    try {
      await worker.ready;
    } catch (error) {
      // One that could not open a version lives on otherwise.
      await worker.close();
      throw error;
    }
    this.#idle.push(worker);
    void worker.gone.then((reason) => {
      this.#idle.splice(0, this.#idle.length, ...this.#idle.filter((one) => one !== worker));
      if (this.#isClosed) return;
      this.#options.onGone(reason);
      void this.#replace(place, 50);
    });
    this.#becameIdle();
  }

  async #replace(place: number, waitMs: number): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#startWorker(place);
      this.#failing.delete(place);
      if (this.#isClosed) await this.#workers[place]?.close();
    } catch (error) {
      if (this.#isClosed) return;
      this.#failing.add(place);
      for (const { reject } of this.#waiting.splice(0)) reject(error);
      this.#options.onFailed(error);
      setTimeout(() => void this.#replace(place, Math.min(2 * waitMs, LONGEST_WAIT_MS)), waitMs).unref();
    }
  }
}
