/** What was asked of the server and what it answered. */
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { DefaultedFeature } from '../raw-request.js';
import type { RequestErrorCode } from '../request-error.js';
import { VERSION_LABELS, type Instruments } from './instruments.js';
import type { LabelledTotals } from './labelled-totals.js';

/** How a request came in. */
export type Protocol = 'json' | 'oip-rest' | 'oip-grpc' | 'library';

/** A request that has its answer. */
export interface RequestReport {
  /** Empty where the client named none that is loaded. */
  readonly surface: string;
  /** The version that scored it, or would have; empty where none is loaded. */
  readonly version: string;
  readonly protocol: Protocol;
  readonly outcome: 'ok' | RequestErrorCode;
  /** From its headers, over gRPC from its whole message, until its answer is ready to be written. */
  readonly seconds: number;
  readonly candidates: number;
}

/** Codes of requests that are refused because there is too much to do, or no one to do it. */
const SHED: ReadonlySet<RequestErrorCode> = new Set(['overloaded', 'unavailable', 'deadline']);

export class TrafficMetrics {
  readonly #requests: Counter<'surface' | 'version' | 'protocol' | 'outcome'>;
  readonly #seconds: Histogram<'surface' | 'version'>;
  readonly #candidates: Counter<'surface' | 'version'>;
  readonly #shed: Counter<'surface' | 'reason'>;
  readonly #waiting: Gauge;
  readonly #running: Gauge;
  readonly #defaulted: LabelledTotals<'surface' | 'version' | 'feature' | 'reason'>;
  readonly #ignored: Counter<'surface'>;
  readonly #degraded: Counter<'what'>;

  constructor(instruments: Instruments) {
    this.#requests = instruments.counter('requests_total', 'Requests that have their answer, by outcome.', [...VERSION_LABELS, 'protocol', 'outcome']);
    this.#seconds = instruments.histogram('request_duration_seconds', 'Time to the answer, of requests that were scored.', VERSION_LABELS);
    this.#candidates = instruments.counter('candidates_total', 'Candidates of requests that were scored.', VERSION_LABELS);
    this.#shed = instruments.counter('shed_total', 'Requests that were turned away because there was too much to do, or that waited for too long.', ['surface', 'reason']);
    this.#waiting = instruments.gauge('queue_requests', 'Requests that wait for a run.');
    this.#running = instruments.gauge('runs_in_progress', 'Runs that threads are working on.');
    this.#defaulted = instruments.totals('defaulted_values_total', 'Feature values that were not given, null or not in the vocabulary: one for each row.', [
      ...VERSION_LABELS,
      'feature',
      'reason',
    ]);
    this.#ignored = instruments.counter('ignored_columns_total', 'Columns of requests that the export does not read.', ['surface']);
    this.#degraded = instruments.counter('degraded_requests_total', 'Requests scored without something that the feature store did not give.', ['what']);
  }

  requestDone({ surface, version, protocol, outcome, seconds, candidates }: RequestReport): void {
    this.#requests.inc({ surface, version, protocol, outcome });
    if (outcome !== 'ok') return;
    this.#seconds.observe({ surface, version }, seconds);
    this.#candidates.inc({ surface, version }, candidates);
  }

  queue({ waiting, running }: { readonly waiting: number; readonly running: number }): void {
    this.#waiting.set(waiting);
    this.#running.set(running);
  }

  shed(labels: { readonly surface: string; readonly reason: RequestErrorCode }): void {
    if (SHED.has(labels.reason)) this.#shed.inc(labels);
  }

  defaulted(surface: string, version: string, features: readonly DefaultedFeature[]): void {
    for (const { feature, reason, rows } of features) this.#defaulted.add([surface, version, feature, reason], rows);
  }

  ignored(surface: string, columns: number): void {
    if (columns > 0) this.#ignored.inc({ surface }, columns);
  }

  degraded(names: readonly string[]): void {
    for (const what of names) this.#degraded.inc({ what });
  }
}
