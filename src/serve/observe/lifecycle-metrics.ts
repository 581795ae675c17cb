/** What is loaded, and how its parts are doing. */
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { ServedSurface } from '../raw-request.js';
import { VERSION_LABELS, type Instruments } from './instruments.js';
import { RunningTotal } from './running-total.js';

/** `pointed`: to a version that was loaded already, as a rollback is; `refused`: the new version is broken. */
const SWAP_OUTCOMES = ['swapped', 'pointed', 'refused'] as const;

/** A change of the versions that serve. */
export interface SwapReport {
  readonly outcome: (typeof SWAP_OUTCOMES)[number];
  readonly seconds: number;
}

/** One call of the feature store. */
export interface StoreReport {
  /** Of a fixed set, e.g. `users`, `items`. */
  readonly op: string;
  /** Of a fixed set, e.g. `ok`, `timeout`, `error`. */
  readonly outcome: string;
  readonly seconds: number;
}

export class LifecycleMetrics {
  readonly #version: Gauge<'surface' | 'version' | 'current'>;
  readonly #swaps: Counter<'outcome'>;
  readonly #swapSeconds: Histogram<'outcome'>;
  readonly #storeCalls: Counter<'op' | 'outcome'>;
  readonly #storeSeconds: Histogram<'op'>;
  readonly #written: RunningTotal<'outcome'>;
  readonly #dropped: RunningTotal<'outcome'>;
  readonly #workers: Gauge;
  readonly #restarts: RunningTotal<never>;

  constructor(instruments: Instruments) {
    this.#version = instruments.gauge('version_info', 'Versions that are loaded; current: requests that name none get it.', [...VERSION_LABELS, 'current']);
    this.#swaps = instruments.counter('swaps_total', 'Changes of the versions that serve.', ['outcome']);
    // Prometheus sees no increase in a series that begins with one.
    for (const outcome of SWAP_OUTCOMES) this.#swaps.inc({ outcome }, 0);
    this.#swapSeconds = instruments.histogram('swap_duration_seconds', 'Time of a change, with all checks.', ['outcome'], [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]);
    this.#storeCalls = instruments.counter('store_operations_total', 'Calls of the feature store.', ['op', 'outcome']);
    this.#storeSeconds = instruments.histogram('store_duration_seconds', 'Time of a call of the feature store.', ['op']);
    const logged = instruments.counter('feature_log_rows_total', 'Requests whose features were to be logged: written, or dropped because the disk did not keep up.', ['outcome']);
    this.#written = new RunningTotal(logged, { outcome: 'written' });
    this.#dropped = new RunningTotal(logged, { outcome: 'dropped' });
    this.#workers = instruments.gauge('workers', 'Scoring threads that are alive.');
    this.#restarts = new RunningTotal<never>(instruments.counter('worker_restarts_total', 'Scoring threads that stopped and were started again.'), {});
  }

  versions(served: readonly ServedSurface[]): void {
    this.#version.reset();
    for (const { surface, version, isCurrent } of served) this.#version.set({ surface, version, current: String(isCurrent) }, 1);
  }

  swap({ outcome, seconds }: SwapReport): void {
    this.#swaps.inc({ outcome });
    this.#swapSeconds.observe({ outcome }, seconds);
  }

  store({ op, outcome, seconds }: StoreReport): void {
    this.#storeCalls.inc({ op, outcome });
    this.#storeSeconds.observe({ op }, seconds);
  }

  featureLog({ written, dropped }: { readonly written: number; readonly dropped: number }): void {
    this.#written.set(written);
    this.#dropped.set(dropped);
  }

  workers({ alive, restarts }: { readonly alive: number; readonly restarts: number }): void {
    this.#workers.set(alive);
    this.#restarts.set(restarts);
  }
}
