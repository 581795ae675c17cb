/** What `onefold top` shows, as plain JSON. */
import { MetricWindow, type Scrape, type Selector } from './metric-window.js';

/** A task's predictions against what its held-out rows say. */
export interface TopTask {
  readonly task: string;
  /** Mean of what was predicted in the window; null without predictions. */
  readonly meanPrediction: number | null;
  /** Positives per held-out row; null where the export does not know it. */
  readonly heldOutRate: number | null;
}

export interface TopDefaulted {
  readonly feature: string;
  readonly reason: string;
  /** Values a second. */
  readonly perSecond: number;
}

/** One loaded version of a surface; rates are per second, times in seconds, null where nothing happened. */
export interface TopVersion {
  readonly surface: string;
  readonly version: string;
  readonly isCurrent: boolean;
  readonly requests: number;
  readonly errors: number;
  readonly candidates: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly queueWaitP99: number | null;
  /** Mean requests and candidates of a run. */
  readonly batchRequests: number | null;
  readonly batchCandidates: number | null;
  /** Candidates per request side that was computed. */
  readonly broadcastRatio: number | null;
  /** Share of request sides found in the cache. */
  readonly cacheHitRate: number | null;
  /** The five features that were defaulted most. */
  readonly defaulted: readonly TopDefaulted[];
  readonly tasks: readonly TopTask[];
}

export interface TopView {
  /** Seconds that rates and quantiles are of. */
  readonly windowSeconds: number;
  readonly versions: readonly TopVersion[];
  /** Requests a second that name no version that is loaded, or were refused before they were read. */
  readonly unknownRequests: number;
  readonly shed: number;
  readonly queue: { readonly waiting: number | null; readonly running: number | null };
  readonly workers: { readonly alive: number | null; readonly restarts: number | null };
  readonly process: { readonly residentBytes: number | null; readonly cpuCores: number; readonly eventLoopP99: number | null };
}

const MOST_DEFAULTED = 5;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Failed requests: all outcomes but `ok`. */
const errorsOf = (window: MetricWindow, selector: Selector): number =>
  window
    .series('onefold_requests_total', selector)
    .filter(({ labels }) => labels['outcome'] !== 'ok')
    .reduce((sum, sample) => sum + window.increaseOf(sample), 0) / Math.max(window.seconds, Number.MIN_VALUE);

const defaultedOf = (window: MetricWindow, selector: Selector): readonly TopDefaulted[] =>
  window
    .series('onefold_defaulted_values_total', selector)
    .map((sample) => ({ feature: sample.labels['feature'] ?? '', reason: sample.labels['reason'] ?? '', perSecond: window.seconds > 0 ? window.increaseOf(sample) / window.seconds : 0 }))
    .filter(({ perSecond }) => perSecond > 0)
    .sort((a, b) => b.perSecond - a.perSecond || byText(a.feature, b.feature))
    .slice(0, MOST_DEFAULTED);

const tasksOf = (window: MetricWindow, selector: Selector): readonly TopTask[] => {
  const names = ['onefold_predictions_total', 'onefold_held_out_rate'].flatMap((name) => window.series(name, selector).map(({ labels }) => labels['task'] ?? ''));
  return [...new Set(names)].sort(byText).map((task) => ({
    task,
    meanPrediction: window.ratio('onefold_prediction_sum_total', 'onefold_predictions_total', { ...selector, task }),
    heldOutRate: window.value('onefold_held_out_rate', { ...selector, task }),
  }));
};

const cacheHitRate = (window: MetricWindow, selector: Selector): number | null => {
  const cached = window.increase('onefold_request_sides_total', { ...selector, source: 'cached' });
  const all = window.increase('onefold_request_sides_total', selector);
  return all > 0 ? cached / all : null;
};

const versionOf = (window: MetricWindow, surface: string, version: string, isCurrent: boolean): TopVersion => {
  const selector = { surface, version };
  const computed = window.increase('onefold_request_sides_total', { ...selector, source: 'computed' });
  return {
    surface,
    version,
    isCurrent,
    requests: window.rate('onefold_requests_total', selector),
    errors: errorsOf(window, selector),
    candidates: window.rate('onefold_candidates_total', selector),
    p50: window.quantile(0.5, 'onefold_request_duration_seconds', selector),
    p95: window.quantile(0.95, 'onefold_request_duration_seconds', selector),
    p99: window.quantile(0.99, 'onefold_request_duration_seconds', selector),
    queueWaitP99: window.quantile(0.99, 'onefold_queue_wait_seconds', selector),
    batchRequests: window.mean('onefold_batch_requests', selector),
    batchCandidates: window.mean('onefold_batch_candidates', selector),
    broadcastRatio: computed > 0 ? window.increase('onefold_run_candidates_total', selector) / computed : null,
    cacheHitRate: cacheHitRate(window, selector),
    defaulted: defaultedOf(window, selector),
    tasks: tasksOf(window, selector),
  };
};

/** @param to no earlier than `from`, of the same server */
export const topView = (from: Scrape, to: Scrape): TopView => {
  const window = new MetricWindow(from, to);
  const loaded = window
    .series('onefold_version_info')
    .map(({ labels }) => ({ surface: labels['surface'] ?? '', version: labels['version'] ?? '', isCurrent: labels['current'] === 'true' }))
    .sort((a, b) => byText(a.surface, b.surface) || Number(b.isCurrent) - Number(a.isCurrent) || byText(b.version, a.version));
  return {
    windowSeconds: window.seconds,
    versions: loaded.map(({ surface, version, isCurrent }) => versionOf(window, surface, version, isCurrent)),
    unknownRequests: window.rate('onefold_requests_total', { version: '' }),
    shed: window.rate('onefold_shed_total'),
    queue: { waiting: window.value('onefold_queue_requests'), running: window.value('onefold_runs_in_progress') },
    workers: { alive: window.value('onefold_workers'), restarts: window.value('onefold_worker_restarts_total') },
    process: {
      residentBytes: window.value('process_resident_memory_bytes'),
      cpuCores: window.rate('process_cpu_seconds_total'),
      eventLoopP99: window.value('onefold_event_loop_delay_p99_seconds'),
    },
  };
};
