/** The scorer itself: versions that are loaded, a queue, and the threads that work on it. */
import type { EncodedRows } from '../../export/open-export.js';
import type { RawRequest, ScoredRequest, Scorer, ServedSurface } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { timerMs } from '../timer-ms.js';
import { Admission, type Load } from './admission.js';
import type { EngineOptions } from './engine-options.js';
import { Generation, type BatchReport, type FinishedRun, type Waiting } from './generation.js';
import type { LoadedVersion } from './loaded-version.js';
import { packedColumns, packRequest } from './packed-request.js';
import { sliceRequests } from './slice-requests.js';
import { WorkerPool } from './worker-pool.js';

/** Versions that serve, by surface. */
export type Current = Readonly<Record<string, string>>;

/** Scores encoded rows with a version that is being taken in. */
export type TrialScore = (rows: EncodedRows) => Promise<Readonly<Record<string, Float32Array>>>;

/** Scores requests with the versions that are loaded. */
export class Engine implements Scorer {
  readonly #options: EngineOptions;
  readonly #admission: Admission;
  #generation: Generation | undefined;
  /** Generations that others took over from, while they finish what they have. */
  readonly #retiring = new Set<Generation>();
  /** Threads that do not serve yet. */
  readonly #trials = new Set<WorkerPool>();
  #current: Current = {};
  #isScheduled = false;
  #isClosed = false;
  /** Nothing that waits is run any more. */
  #hasEnded = false;
  #timer: NodeJS.Timeout | undefined;
  /** `performance.now()` when the timer is due. */
  #timerAt = Infinity;
  /** Threads that stopped and were started again. */
  #restarts = 0;
  #whenEmpty: (() => void) | undefined;
  /** Requests that were admitted and not answered yet. */
  #open = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#admission = new Admission(options.admission, [0, ...Object.values(options.priorities)]);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isReady(): boolean {
    return !this.#isClosed && this.#generation !== undefined && this.#generation.pool.alive > 0;
  }

  /** Milliseconds of a request that names no deadline. */
  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  get current(): Current {
    return this.#current;
  }

  get load(): Load & { readonly running: number; readonly restarts: number } {
    const generations = this.#generations();
    return {
      waiting: generations.reduce((sum, { waiting }) => sum + waiting, 0),
      workers: this.#generation?.pool.alive ?? 0,
      running: generations.reduce((sum, { pool }) => sum + pool.running, 0),
      restarts: this.#restarts,
    };
  }

  /** Why no request can be taken on now, whatever its surface. */
  get refusal(): RequestError | undefined {
    if (!this.isReady) return new RequestError('unavailable', this.#isClosed ? 'the server is going down' : 'no version is loaded', { retryAfter: 1 });
    return this.#admission.isFull(this.load) ? this.#admission.refusal(this.load) : undefined;
  }

  surfaces(): readonly ServedSurface[] {
    return [...(this.#generation?.versions.values() ?? [])].map((version) => this.#describe(version));
  }

  /** A loaded version; the current one where none is named. */
  find(surface: string, version?: string): LoadedVersion | undefined {
    return this.#generation?.versions.get(`${surface}/${version ?? this.#current[surface] ?? ''}`);
  }

  /** Makes other loaded versions the current ones, at once. */
  point(current: Current): void {
    for (const [surface, version] of Object.entries(current)) {
      if (this.#generation?.versions.has(`${surface}/${version}`) !== true) throw new TypeError(`${surface}/${version} is not loaded`);
    }
    this.#current = current;
  }

  /**
   * Opens versions in new threads, checks them there, and lets these take over; the old threads finish what they have by themselves.
   *
   * @param current asked for right before the change: what was to serve may be something else by then; undefined leaves everything as it was
   * @param check what it throws leaves everything as it was
   * @returns what serves now; undefined where nothing changed, or the engine was closed meanwhile
   * @throws VersionFailedError when a version cannot be opened, or not be run; whatever `check` throws
   */
  async replace(
    versions: readonly LoadedVersion[],
    current: Current | (() => Promise<Current | undefined>),
    check: (version: LoadedVersion, score: TrialScore) => Promise<void>,
  ): Promise<Current | undefined> {
    if (this.#isClosed) return undefined;
    const { workers, threads, userCacheBytes, events } = this.#options;
    const pool = new WorkerPool({
      versions: versions.map(({ key, directory }) => ({ key, directory })),
      workers,
      threads,
      userCacheBytes,
      onIdle: () => {
        this.#schedule();
      },
      onGone: (reason) => {
        this.#restarts += 1;
        events.workerGone?.(reason);
      },
      onFailed: (error) => events.workerFailed?.(error),
    });
    this.#trials.add(pool);
    try {
      await pool.open();
      for (const version of versions) await check(version, (rows) => scoreRows(pool, version, rows));
      const chosen = typeof current === 'function' ? await current() : current;
      if (this.#isClosed || chosen === undefined) await pool.close();
      else this.#takeOver(versions, pool, chosen);
      return this.#isClosed ? undefined : chosen;
    } catch (error) {
      await pool.close();
      if (this.#isClosed) return undefined;
      throw error;
    } finally {
      this.#trials.delete(pool);
    }
  }

  #takeOver(versions: readonly LoadedVersion[], pool: WorkerPool, current: Current): void {
    const { batch, batchWaitMs, events } = this.#options;
    const onBatch = (report: BatchReport): void => {
      this.#admission.ran(report.requests, 1000 * report.runSeconds);
      events.batch?.(report);
    };
    const old = this.#generation;
    this.#generation = new Generation({ versions, pool, batch, batchWaitMs, onBatch });
    this.#current = current;
    if (old === undefined) return;
    this.#generation.takeOver(old);
    void this.#retire(old);
    this.#schedule();
  }

  /** Lets a generation finish what it has. Nobody waits for that: what is to serve may change again meanwhile. */
  async #retire(generation: Generation): Promise<void> {
    this.#retiring.add(generation);
    await generation.finished();
    await generation.close();
    this.#retiring.delete(generation);
  }

  async score(request: RawRequest): Promise<ScoredRequest> {
    try {
      return await this.#score(request);
    } catch (error) {
      if (error instanceof RequestError) this.#options.events.refused?.(request.surface, error.code);
      throw error;
    }
  }

  /** Requests of one call, of one surface: they are admitted together, and once one fails the others are not run. */
  async scoreAll(requests: readonly RawRequest[]): Promise<readonly ScoredRequest[]> {
    const [first, second] = requests;
    if (first === undefined) return [];
    if (second === undefined) return [await this.score(first)];
    const call = new AbortController();
    const signal = first.signal === undefined ? call.signal : AbortSignal.any([first.signal, call.signal]);
    try {
      const left = first.deadline === undefined ? this.#options.timeoutMs : first.deadline - performance.now();
      // Each says itself when it comes too late, or nothing is loaded.
      if (this.isReady && left > 0) this.#admission.admit(this.#options.priorities[first.surface] ?? 0, left, this.load, requests.length);
      return await Promise.all(requests.map((request) => this.#score({ ...request, signal }, true)));
    } catch (error) {
      call.abort();
      if (error instanceof RequestError) for (const { surface } of requests) this.#options.events.refused?.(surface, error.code);
      throw error;
    }
  }

  /**
   * Ends one thread as a crash would.
   *
   * @throws RequestError when there is none
   */
  async stopWorker(): Promise<void> {
    if (this.#generation === undefined) throw new RequestError('unavailable', 'no version is loaded');
    await this.#generation.pool.stopOne();
  }

  /** Takes on nothing more, and waits for what was taken on, but not longer than the grace. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    if (this.#open > 0) {
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#whenEmpty = resolve;
        }),
        new Promise<void>((resolve) => setTimeout(resolve, timerMs(graceMs)).unref()),
      ]);
    }
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#generations(), ...this.#trials].map((one) => one.close()));
  }

  #generations(): readonly Generation[] {
    return this.#generation === undefined ? [] : [...this.#retiring, this.#generation];
  }

  #describe(version: LoadedVersion): ServedSurface {
    return { ...version.served, isCurrent: this.#current[version.surface] === version.version };
  }

  async #score(request: RawRequest, isAdmitted = false): Promise<ScoredRequest> {
    if (!this.isReady) throw this.refusal!;
    const version = this.#versionOf(request);
    const tasks = tasksOf(request, version);
    const now = performance.now();
    const deadline = request.deadline ?? now + this.#options.timeoutMs;
    if (deadline <= now) throw new RequestError('deadline', 'the time for an answer was over when it came');
    const priority = this.#options.priorities[request.surface] ?? 0;
    if (!isAdmitted) this.#admission.admit(priority, deadline - now, this.load);
    const { packed, events, defaulted, ignored } = version.prepare(request);
    const encoded = performance.now();
    const run = request.candidateCount === 0 ? undefined : await this.#wait({ request, version, packed, deadline, priority, events });
    const scores = run?.scores ?? new Float32Array(0);
    const of = (task: string): Float32Array => scores.subarray(version.tasks.indexOf(task) * request.candidateCount).subarray(0, request.candidateCount);
    return { surface: version.surface, version: version.version, scores: Object.fromEntries(tasks.map((task) => [task, of(task)])), defaulted, ignored, degraded: [], ...(run === undefined ? {} : { times: { encoded, started: run.started, ended: run.ended } }) };
  }

  #versionOf({ surface, version }: RawRequest): LoadedVersion {
    const found = this.find(surface, version);
    if (found !== undefined) return found;
    const loaded = this.surfaces();
    if (loaded.every((one) => one.surface !== surface)) {
      throw new RequestError('not_found', `no surface "${surface}" is loaded`, { path: 'surface', expected: `one of ${[...new Set(loaded.map((one) => one.surface))].join(', ')}` });
    }
    const versions = loaded.filter((one) => one.surface === surface).map((one) => one.version);
    throw new RequestError('not_found', `no version "${version ?? ''}" of "${surface}" is loaded`, { path: 'version', expected: `one of ${versions.join(', ')}` });
  }

  async #wait({ request, version, packed, deadline, priority, events }: Pick<Waiting, 'request' | 'version' | 'packed' | 'deadline' | 'priority' | 'events'>): Promise<FinishedRun> {
    this.#open += 1;
    try {
      return await new Promise<FinishedRun>((resolve, reject) => {
        const since = performance.now();
        this.#generation!.push({ key: version.key, priority, candidates: request.candidateCount, events, since, request, version, packed, deadline, resolve, reject, tries: 0 });
        this.#schedule();
      });
    } finally {
      this.#open -= 1;
      if (this.#open === 0) this.#whenEmpty?.();
    }
  }

  /** Requests read in one turn of the event loop are seen together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const next = Math.min(...this.#generations().map((generation) => generation.dispatch()));
    // Where it is sooner, the timer that is there finds out when the next is due.
    if (next >= this.#timerAt || this.#hasEnded) return;
    clearTimeout(this.#timer);
    this.#timerAt = next;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.#dispatch();
      },
      timerMs(Math.ceil(next - performance.now())),
    );
  }
}

const tasksOf = ({ tasks }: RawRequest, version: LoadedVersion): readonly string[] => {
  const unknown = tasks?.findIndex((task) => !version.tasks.includes(task)) ?? -1;
  if (unknown < 0) return tasks ?? version.tasks;
  throw new RequestError('not_found', `"${version.surface}" has no task "${tasks![unknown]!}"`, { path: `tasks[${unknown}]`, expected: `one of ${version.tasks.join(', ')}` });
};

const scoreRows = async (pool: WorkerPool, version: LoadedVersion, rows: EncodedRows): Promise<Readonly<Record<string, Float32Array>>> => {
  const columns = packedColumns(version.encoders.columns);
  const { scores } = await pool.runSoon(
    version.key,
    sliceRequests(rows).map((request) => packRequest(columns, request)),
  );
  return Object.fromEntries(version.tasks.map((task, index) => [task, scores.subarray(index * rows.candidateCount, (index + 1) * rows.candidateCount)]));
};
