/** Everything a server tells Prometheus (docs/observability.md). */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { BatchReport } from '../engine/generation.js';
import type { DefaultedFeature, ServedSurface } from '../raw-request.js';
import type { RequestErrorCode } from '../request-error.js';
import { BatchMetrics } from './batch-metrics.js';
import { EventLoopDelay } from './event-loop-delay.js';
import { Instruments } from './instruments.js';
import { KnownVersions } from './known-versions.js';
import { LifecycleMetrics, type StoreReport, type SwapReport } from './lifecycle-metrics.js';
import { ScoreMetrics, type HeldOut, type OutcomesReport, type ScoresReport } from './score-metrics.js';
import { TrafficMetrics, type RequestReport } from './traffic-metrics.js';

export type { Protocol } from './traffic-metrics.js';

const OUTCOME_NAMES = ['surface', 'version', 'viewType', 'task'] as const;

/** Names of a report that no loaded version has. */
export type UnknownNames = Readonly<Partial<Record<(typeof OUTCOME_NAMES)[number], readonly string[]>>>;

interface Labelled {
  readonly surface: string;
  readonly version: string;
}

/**
 * Counts what a server does, and prints it for Prometheus. Surfaces, versions, view types and tasks that are reported become labels only if
 * {@link ServeMetrics.versions} named them, or a run was of them; what clients make up is counted under an empty name.
 */
export class ServeMetrics {
  readonly #registry = new Registry();
  readonly #instruments = new Instruments(this.#registry);
  readonly #known = new KnownVersions();
  readonly #traffic = new TrafficMetrics(this.#instruments);
  readonly #batches = new BatchMetrics(this.#instruments);
  readonly #scores = new ScoreMetrics(this.#instruments);
  readonly #lifecycle = new LifecycleMetrics(this.#instruments);
  readonly #eventLoop = new EventLoopDelay(this.#instruments);
  readonly #now: () => number;

  /** @param now clock in ms, by which versions that are gone are forgotten */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    collectDefaultMetrics({ register: this.#registry });
  }

  /** `Content-Type` of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Body of `GET /metrics`. */
  async text(): Promise<string> {
    for (const { surface, version } of this.#known.forget(this.#now())) {
      this.#scores.forget(surface, version);
      await this.#instruments.forget(surface, version);
    }
    this.#eventLoop.collect();
    return this.#registry.metrics();
  }

  /** Every version that is loaded now; to be called before their first request, and whenever they change. */
  versions(served: readonly ServedSurface[]): void {
    this.#known.update(served, this.#now());
    this.#lifecycle.versions(served);
    this.#scores.versions(served);
  }

  requestDone(report: RequestReport): void {
    this.#traffic.requestDone({ ...report, ...this.#labels(report) });
  }

  /** To be called by the engine alone: its surface and version become labels. */
  batchDone(report: BatchReport): void {
    this.#known.add(report.surface, report.version);
    this.#batches.batchDone(report);
  }

  /** Takes about 10 µs for 200 candidates of three tasks. */
  scored(report: ScoresReport): void {
    this.#scores.scored({ ...report, ...this.#labels(report), viewType: this.#known.viewType(report.surface, report.viewType) });
  }

  queue(now: { readonly waiting: number; readonly running: number }): void {
    this.#traffic.queue(now);
  }

  /** Counts refusals that are about load; `requestDone` counts all others. */
  shed({ surface, reason }: { readonly surface: string; readonly reason: RequestErrorCode }): void {
    this.#traffic.shed({ surface: this.#known.surface(surface), reason });
  }

  defaulted(surface: string, version: string, features: readonly DefaultedFeature[]): void {
    const labels = this.#labels({ surface, version });
    this.#traffic.defaulted(labels.surface, labels.version, features);
  }

  /** @param columns how many columns of a request the export does not read */
  ignored(surface: string, columns: number): void {
    this.#traffic.ignored(this.#known.surface(surface), columns);
  }

  /** @param names of a fixed set: they become labels */
  degraded(names: readonly string[]): void {
    this.#traffic.degraded(names);
  }

  heldOut(report: HeldOut): void {
    this.#scores.heldOut({ ...report, ...this.#labels(report) });
  }

  /**
   * Labels of rows whose version is long gone are counted under an empty version, and so is every other name that is not known.
   *
   * @returns the names that were not known, by what they are
   */
  outcomes(report: OutcomesReport): UnknownNames {
    const { surface, viewType, task } = report;
    const counted = { ...this.#labels(report), viewType: this.#known.viewType(surface, viewType), task: this.#known.task(surface, task) };
    this.#scores.outcomes({ ...report, ...counted });
    return Object.fromEntries(OUTCOME_NAMES.flatMap((name) => (counted[name] === report[name] ? [] : [[name, [report[name]]]])));
  }

  swap(report: SwapReport): void {
    this.#lifecycle.swap(report);
  }

  store(report: StoreReport): void {
    this.#lifecycle.store(report);
  }

  /** Totals so far, not what was added. */
  featureLog(totals: { readonly written: number; readonly dropped: number }): void {
    this.#lifecycle.featureLog(totals);
  }

  /** @param now.restarts total so far; it may start again from zero */
  workers(now: { readonly alive: number; readonly restarts: number }): void {
    this.#lifecycle.workers(now);
  }

  /** Stops watching the event loop. */
  close(): void {
    this.#eventLoop.close();
  }

  #labels({ surface, version }: Labelled): Labelled {
    return { surface: this.#known.surface(surface), version: this.#known.version(surface, version) };
  }
}
