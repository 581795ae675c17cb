/** A set of versions, the threads that have them open, and the requests that wait for them. */
import type { RawRequest } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { BatchQueue, type BatchLimits, type Queued } from './batch-queue.js';
import type { LoadedVersion } from './loaded-version.js';
import type { RunStatistics } from './version-scorer.js';
import { MOST_TRIES, WorkerGoneError, type WorkerPool } from './worker-pool.js';

/** A run of one or more requests of one version. */
export interface BatchReport extends RunStatistics {
  readonly surface: string;
  readonly version: string;
  readonly requests: number;
  readonly candidates: number;
  /** Seconds each request waited for its run. */
  readonly queueSeconds: readonly number[];
  readonly runSeconds: number;
}

/** A request's part of a run. */
export interface FinishedRun {
  /** `[tasks, own candidates]`. */
  readonly scores: Float32Array;
  readonly started: number;
  readonly ended: number;
}

/** A request that waits for its run. */
export interface Waiting extends Queued {
  readonly request: RawRequest;
  readonly version: LoadedVersion;
  readonly packed: ArrayBuffer;
  /** `performance.now()` after which nobody waits for it. */
  readonly deadline: number;
  readonly resolve: (run: FinishedRun) => void;
  readonly reject: (error: Error) => void;
  tries: number;
}

export interface GenerationOptions {
  readonly versions: readonly LoadedVersion[];
  readonly pool: WorkerPool;
  readonly batch: BatchLimits;
  /** Milliseconds that a request waits for others when a thread is idle; 0: only those of the same turn of the event loop. */
  readonly batchWaitMs: number;
  readonly onBatch: (batch: BatchReport) => void;
}

/** Versions that serve together, until others take over. */
export class Generation {
  readonly versions: ReadonlyMap<string, LoadedVersion>;
  readonly pool: WorkerPool;
  readonly #options: GenerationOptions;
  readonly #queue: BatchQueue<Waiting>;
  #isClosed = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.versions = new Map(options.versions.map((version) => [version.key, version]));
    this.pool = options.pool;
    this.#queue = new BatchQueue(options.batch);
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  push(waiting: Waiting): void {
    this.#queue.push(waiting);
  }

  /** Takes what waits for versions that it has from the generation before. What waits for others is run there still. */
  takeOver(before: Generation): void {
    for (const waiting of before.#queue.remove(({ key, version }) => this.versions.get(key)?.digest === version.digest)) this.#queue.push(waiting);
  }

  /**
   * Runs what can be run now.
   *
   * @returns `performance.now()` when there is something to do even if nothing happens until then
   */
  dispatch(): number {
    let next = this.#dropUnwanted();
    const { batch } = this.#options;
    while (this.#queue.size > 0 && this.pool.hasIdle) {
      const due = this.#dueAt();
      if (due > performance.now() && this.#queue.size < batch.maxRequests && this.#queue.candidates < batch.maxCandidates) {
        next = Math.min(next, due);
        break;
      }
      void this.#run(this.#queue.take());
    }
    if (this.#isIdle) this.#whenIdle?.();
    return next;
  }

  /** Settles once nothing waits or runs any more. */
  finished(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** Ends its threads; what waits is not run. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#queue.remove(() => true)) reject(new RequestError('unavailable', 'the server went down'));
    await this.pool.close();
    this.#whenIdle?.();
  }

  get #isIdle(): boolean {
    return this.#queue.size === 0 && this.pool.running === 0;
  }

  /** When the first of those that wait stops to wait for others, whoever goes next: a part of its time is for its run. */
  #dueAt(): number {
    const { batchWaitMs } = this.#options;
    return batchWaitMs === 0 ? 0 : this.#queue.least(({ since, deadline }) => since + Math.min(batchWaitMs, (deadline - since) / 2));
  }

  /** Nobody waits for these any longer. Returns when the next one's time is over. */
  #dropUnwanted(): number {
    const now = performance.now();
    let next = Infinity;
    const unwanted = this.#queue.remove(({ deadline, request }) => {
      if (deadline <= now || request.signal?.aborted === true) return true;
      next = Math.min(next, deadline);
      return false;
    });
    for (const { request, reject } of unwanted) {
      reject(request.signal?.aborted === true ? new RequestError('cancelled', 'the client went away') : new RequestError('deadline', 'the time for an answer was over before it was its turn'));
    }
    return next;
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    const started = performance.now();
    const { version } = batch[0]!;
    try {
      const { scores, statistics } = await this.pool.run(
        version.key,
        batch.map(({ packed }) => packed),
      );
      const ended = performance.now();
      const candidates = batch.reduce((sum, waiting) => sum + waiting.candidates, 0);
      let row = 0;
      for (const waiting of batch) {
        waiting.resolve({ scores: requestScores(scores, version.tasks.length, candidates, row, waiting.candidates), started, ended });
        row += waiting.candidates;
      }
      this.#options.onBatch({
        ...statistics,
        surface: version.surface,
        version: version.version,
        requests: batch.length,
        candidates,
        queueSeconds: batch.map(({ since }) => (started - since) / 1000),
        runSeconds: (ended - started) / 1000,
      });
    } catch (error) {
      this.#failed(batch, error);
    }
  }

  /** A run whose thread stopped is repeated on another; one that failed is not. */
  #failed(batch: readonly Waiting[], error: unknown): void {
    for (const waiting of batch.toReversed()) {
      waiting.tries += 1;
      if (error instanceof WorkerGoneError && waiting.tries < MOST_TRIES && !this.#isClosed) this.#queue.push(waiting, true);
      else if (error instanceof WorkerGoneError) waiting.reject(new RequestError('unavailable', error.message, { cause: error, retryAfter: 1 }));
      else waiting.reject(new RequestError('internal', 'the request could not be scored', { cause: error }));
    }
  }
}

/** One request's scores `[tasks, own candidates]` out of a run's `[tasks, candidates]`. */
const requestScores = (scores: Float32Array, tasks: number, candidates: number, first: number, own: number): Float32Array => {
  if (own === candidates) return scores;
  const copied = new Float32Array(tasks * own);
  for (let task = 0; task < tasks; task += 1) copied.set(scores.subarray(task * candidates + first, task * candidates + first + own), task * own);
  return copied;
};
