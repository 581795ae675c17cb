import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ServedSurface } from '../raw-request.js';
import { parseMetrics, type Sample } from './parse-metrics.js';
import { ServeMetrics } from './serve-metrics.js';

const served = (surface: string, version: string, isCurrent = true): ServedSurface => ({ surface, version, digest: '', isCurrent, tasks: ['click'], viewTypes: ['grid', 'list'], inputs: [] });

let metrics: ServeMetrics;
let now: number;
beforeEach(() => {
  now = 1_000;
  metrics = new ServeMetrics(() => now);
  metrics.versions([served('search', 'v1')]);
});
afterEach(() => {
  metrics.close();
});

const collect = async (): Promise<readonly Sample[]> => parseMetrics(await metrics.text(), 'metrics');

/** Sum of the series with these labels; undefined where there is none. */
const read = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number | undefined => {
  const found = samples.filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
};

const V1 = { surface: 'search', version: 'v1' } as const;

test('requests are counted by outcome; the times are of those that were scored', async () => {
  metrics.requestDone({ ...V1, protocol: 'json', outcome: 'ok', seconds: 0.004, candidates: 200 });
  metrics.requestDone({ ...V1, protocol: 'oip-grpc', outcome: 'ok', seconds: 0.04, candidates: 50 });
  metrics.requestDone({ ...V1, protocol: 'json', outcome: 'deadline', seconds: 1, candidates: 200 });
  const samples = await collect();
  expect(read(samples, 'onefold_requests_total', { ...V1, protocol: 'json', outcome: 'ok' })).toBe(1);
  expect(read(samples, 'onefold_requests_total', { ...V1, outcome: 'deadline' })).toBe(1);
  expect(read(samples, 'onefold_candidates_total', V1)).toBe(250);
  expect(read(samples, 'onefold_request_duration_seconds_count', V1)).toBe(2);
  expect(read(samples, 'onefold_request_duration_seconds_bucket', { ...V1, le: '0.005' })).toBe(1);
  expect(read(samples, 'onefold_request_duration_seconds_bucket', { ...V1, le: '0.05' })).toBe(2);
});

test('batches: sizes, waits, request sides and padding', async () => {
  const batch = { ...V1, requests: 2, candidates: 300, queueSeconds: [0.0004, 0.02], runSeconds: 0.006, encodedUsers: 1, cachedUsers: 1, tokens: 60, places: 100, runMs: 5 };
  metrics.batchDone(batch);
  metrics.batchDone({ ...batch, requests: 1, candidates: 100, queueSeconds: [0.001], encodedUsers: 1, cachedUsers: 0, tokens: 0, places: 0 });
  const samples = await collect();
  expect(read(samples, 'onefold_batch_requests_sum', V1)).toBe(3);
  expect(read(samples, 'onefold_batch_candidates_bucket', { ...V1, le: '100' })).toBe(1);
  expect(read(samples, 'onefold_queue_wait_seconds_count', V1)).toBe(3);
  expect(read(samples, 'onefold_run_duration_seconds_sum', V1)).toBeCloseTo(0.012);
  expect(read(samples, 'onefold_run_candidates_total', V1)! / read(samples, 'onefold_request_sides_total', { ...V1, source: 'computed' })!).toBe(200);
  expect(read(samples, 'onefold_request_sides_total', { ...V1, source: 'cached' })).toBe(1);
  expect(read(samples, 'onefold_sequence_places_total', { ...V1, kind: 'event' })).toBe(60);
  expect(read(samples, 'onefold_sequence_places_total', { ...V1, kind: 'padding' })).toBe(40);
});

test('scores: a distribution per task, sums per view type, and what is no number apart', async () => {
  metrics.scored({ ...V1, viewType: 'grid', scores: { click: Float32Array.of(0.25, 0.5), save: Float32Array.of(0.001, 0.001) } });
  metrics.scored({ ...V1, viewType: 'list', scores: { click: Float32Array.of(0.125, NaN) } });
  const samples = await collect();
  expect(read(samples, 'onefold_score_count', { ...V1, task: 'click' })).toBe(3);
  expect(read(samples, 'onefold_score_bucket', { ...V1, task: 'click', le: '0.32' })).toBe(2);
  expect(read(samples, 'onefold_prediction_sum_total', { ...V1, task: 'click', view_type: 'grid' })).toBe(0.75);
  expect(read(samples, 'onefold_prediction_sum_total', { ...V1, task: 'click', view_type: 'list' })).toBe(0.125);
  expect(read(samples, 'onefold_predictions_total', { ...V1, task: 'click' })).toBe(3);
  expect(read(samples, 'onefold_scores_not_finite_total', { ...V1, task: 'click' })).toBe(1);
  expect(read(samples, 'onefold_scores_not_finite_total', { ...V1, task: 'save' })).toBeUndefined();
});

test('what alerts count is there before anything is counted, or its first would be no increase', async () => {
  const samples = await collect();
  expect(['swapped', 'pointed', 'refused'].map((outcome) => read(samples, 'onefold_swaps_total', { outcome }))).toEqual([0, 0, 0]);
  expect(read(samples, 'onefold_scores_not_finite_total', { ...V1, task: 'click' })).toBe(0);
  const outcomes = ['onefold_outcome_label_sum_total', 'onefold_outcome_prediction_sum_total', 'onefold_outcome_rows_total'];
  for (const view_type of ['grid', 'search']) expect(outcomes.map((name) => read(samples, name, { ...V1, view_type, task: 'click' }))).toEqual([0, 0, 0]);
});

test('labels that come later are held against what was predicted for them', async () => {
  metrics.heldOut({ ...V1, task: 'click', rate: 0.05, prediction: 0.06 });
  metrics.outcomes({ ...V1, viewType: 'grid', task: 'click', labels: 4, predictions: 5, rows: 100 });
  metrics.outcomes({ ...V1, viewType: 'grid', task: 'click', labels: 1, predictions: 1, rows: 10 });
  const samples = await collect();
  expect(read(samples, 'onefold_held_out_rate', { ...V1, task: 'click' })).toBe(0.05);
  expect(read(samples, 'onefold_held_out_prediction', { ...V1, task: 'click' })).toBe(0.06);
  const of = (name: string): number => read(samples, name, { ...V1, view_type: 'grid', task: 'click' })!;
  expect(of('onefold_outcome_prediction_sum_total') / of('onefold_outcome_label_sum_total')).toBeCloseTo(1.2);
  expect(of('onefold_outcome_rows_total')).toBe(110);
});

test('names of a report that no loaded version has are counted under empty ones, and told', async () => {
  const report = { ...V1, viewType: 'grid', task: 'click', labels: 1, predictions: 1, rows: 10 };
  expect(metrics.outcomes(report)).toEqual({});
  expect(metrics.outcomes({ ...report, task: 'clik' })).toEqual({ task: ['clik'] });
  expect(metrics.outcomes({ ...report, task: 'clack', viewType: 'grd' })).toEqual({ task: ['clack'], viewType: ['grd'] });
  expect(metrics.outcomes({ ...report, version: 'v0' })).toEqual({ version: ['v0'] });
  expect(metrics.outcomes({ ...report, surface: 'serach' })).toEqual({ surface: ['serach'], version: ['v1'], viewType: ['grid'], task: ['click'] });
  const rows = (labels: Readonly<Record<string, string>>): number | undefined => read(samples, 'onefold_outcome_rows_total', labels);
  const samples = await collect();
  expect([rows({ ...V1, view_type: 'grid', task: 'click' }), rows({ ...V1, view_type: 'grid', task: '' }), rows({ ...V1, view_type: '', task: '' }), rows({ surface: 'search', version: '', task: 'click' }), rows({ surface: '', task: '' })]).toEqual([10, 10, 10, 10, 10]);
  expect(rows({})).toBe(50);
});

test('features, columns, load, store, log, swaps and threads', async () => {
  metrics.defaulted('search', 'v1', [{ feature: 'query', reason: 'unknown', rows: 1 }, { feature: 'price', reason: 'missing', rows: 200 }]);
  metrics.defaulted('search', 'v1', [{ feature: 'price', reason: 'missing', rows: 50 }]);
  metrics.ignored('search', 3);
  metrics.degraded(['users']);
  metrics.queue({ waiting: 7, running: 2 });
  metrics.shed({ surface: 'search', reason: 'overloaded' });
  metrics.shed({ surface: 'search', reason: 'invalid' });
  metrics.store({ op: 'users', outcome: 'timeout', seconds: 0.02 });
  metrics.featureLog({ written: 10, dropped: 1 });
  metrics.featureLog({ written: 15, dropped: 1 });
  metrics.swap({ outcome: 'refused', seconds: 0.3 });
  metrics.workers({ alive: 4, restarts: 2 });
  metrics.workers({ alive: 3, restarts: 1 });
  const samples = await collect();
  expect(read(samples, 'onefold_defaulted_values_total', { ...V1, feature: 'price', reason: 'missing' })).toBe(250);
  expect(read(samples, 'onefold_ignored_columns_total', { surface: 'search' })).toBe(3);
  expect(read(samples, 'onefold_degraded_requests_total', { what: 'users' })).toBe(1);
  expect(read(samples, 'onefold_queue_requests')).toBe(7);
  expect(read(samples, 'onefold_runs_in_progress')).toBe(2);
  expect(read(samples, 'onefold_shed_total')).toBe(1);
  expect(read(samples, 'onefold_store_operations_total', { op: 'users', outcome: 'timeout' })).toBe(1);
  expect(read(samples, 'onefold_store_duration_seconds_count', { op: 'users' })).toBe(1);
  expect(read(samples, 'onefold_feature_log_rows_total', { outcome: 'written' })).toBe(15);
  expect(read(samples, 'onefold_swaps_total', { outcome: 'refused' })).toBe(1);
  expect(read(samples, 'onefold_workers')).toBe(3);
  // The owner started again from zero and has restarted one since.
  expect(read(samples, 'onefold_worker_restarts_total')).toBe(3);
  expect(read(samples, 'process_resident_memory_bytes')).toBeGreaterThan(0);
});

test('names that clients make up never become labels', async () => {
  for (let index = 0; index < 50; index += 1) {
    const name = `made up ${index}`;
    metrics.requestDone({ surface: name, version: name, protocol: 'json', outcome: 'not_found', seconds: 0.001, candidates: 1 });
    metrics.requestDone({ surface: 'search', version: name, protocol: 'json', outcome: 'not_found', seconds: 0.001, candidates: 1 });
    metrics.scored({ ...V1, viewType: name, scores: { click: Float32Array.of(0.5) } });
    metrics.ignored(name, 1);
    metrics.shed({ surface: name, reason: 'overloaded' });
  }
  const text = await metrics.text();
  expect(text).not.toContain('made up');
  const samples = parseMetrics(text, 'metrics');
  expect(read(samples, 'onefold_requests_total', { surface: '', version: '', outcome: 'not_found' })).toBe(50);
  expect(read(samples, 'onefold_requests_total', { surface: 'search', version: '' })).toBe(50);
  expect(read(samples, 'onefold_predictions_total', { ...V1, view_type: '' })).toBe(50);
});

test('a version that takes over is known by its first run', async () => {
  metrics.batchDone({ surface: 'search', version: 'v2', requests: 1, candidates: 1, queueSeconds: [0], runSeconds: 0.001, encodedUsers: 1, cachedUsers: 0, tokens: 0, places: 0, runMs: 1 });
  metrics.requestDone({ surface: 'search', version: 'v2', protocol: 'json', outcome: 'ok', seconds: 0.002, candidates: 1 });
  metrics.versions([served('search', 'v2')]);
  expect(read(await collect(), 'onefold_requests_total', { surface: 'search', version: 'v2' })).toBe(1);
});

test('series of a version outlive it for as long as they need to be collected', async () => {
  const score = (version: string): void => {
    metrics.requestDone({ surface: 'search', version, protocol: 'json', outcome: 'ok', seconds: 0.003, candidates: 1 });
    metrics.scored({ surface: 'search', version, viewType: 'grid', scores: { click: Float32Array.of(0.5) } });
    metrics.defaulted('search', version, [{ feature: 'query', reason: 'missing', rows: 1 }]);
    metrics.heldOut({ surface: 'search', version, task: 'click', rate: 0.1 });
  };
  score('v1');
  metrics.versions([served('search', 'v2'), served('search', 'v1', false)]);
  expect(read(await collect(), 'onefold_version_info', { ...V1, current: 'false' })).toBe(1);
  metrics.versions([served('search', 'v2')]);
  score('v1');
  score('v2');
  now += 60_000;
  const samples = await collect();
  expect(read(samples, 'onefold_version_info', V1)).toBeUndefined();
  expect(read(samples, 'onefold_requests_total', V1)).toBe(2);
  now += 600_000;
  const text = await metrics.text();
  expect(text).not.toContain('version="v1"');
  for (const name of ['onefold_requests_total', 'onefold_request_duration_seconds_count', 'onefold_score_count', 'onefold_predictions_total', 'onefold_defaulted_values_total', 'onefold_held_out_rate']) {
    expect(read(parseMetrics(text, 'metrics'), name, { surface: 'search', version: 'v2' })).toBeGreaterThan(0);
  }
});

test('the delay of the event loop is that since the last look', async () => {
  await sleep(50);
  const until = performance.now() + 120;
  while (performance.now() < until);
  await sleep(50);
  const busy = await collect();
  const longest = read(busy, 'onefold_event_loop_delay_max_seconds')!;
  expect(longest).toBeGreaterThan(0.08);
  expect(longest).toBeGreaterThanOrEqual(read(busy, 'onefold_event_loop_delay_p50_seconds')!);
  // Others may hold this process up in any one look.
  await expect.poll(async () => read(await collect(), 'onefold_event_loop_delay_max_seconds'), { interval: 50 }).toBeLessThan(longest);
});

test('counting the scores of a request takes microseconds', () => {
  const scores = Object.fromEntries(['click', 'long_click', 'save'].map((task) => [task, Float32Array.from({ length: 200 }, () => Math.random() ** 4)]));
  const times: number[] = [];
  for (let run = 0; run < 5_000; run += 1) {
    const started = performance.now();
    metrics.scored({ ...V1, viewType: 'grid', scores });
    times.push((performance.now() - started) * 1000);
  }
  const median = times.slice(1_000).sort((a, b) => a - b)[2_000]!;
  expect(median).toBeLessThan(20);
});
