import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ServedSurface } from '../raw-request.js';
import { MetricWindow, type Scrape } from './metric-window.js';
import { parseMetrics } from './parse-metrics.js';
import { renderTop } from './render-top.js';
import { ServeMetrics } from './serve-metrics.js';
import { topView } from './top-view.js';

const served = (surface: string, version: string, isCurrent: boolean): ServedSurface => ({ surface, version, digest: '', isCurrent, tasks: ['click'], viewTypes: [], inputs: [] });

let metrics: ServeMetrics;
beforeEach(() => {
  metrics = new ServeMetrics();
});
afterEach(() => {
  metrics.close();
});

const scrape = async (at: number): Promise<Scrape> => ({ at, samples: parseMetrics(await metrics.text(), 'metrics') });

const textScrape = (at: number, text: string): Scrape => ({ at, samples: parseMetrics(text, 'text') });

// Colours are also written where no terminal is: picocolors takes the variable CI for one.
const plain = (lines: readonly string[]): string => stripVTControlCharacters(lines.join('\n'));

test('rates, latencies, batches and predictions of what happened between two looks', async () => {
  const V2 = { surface: 'search', version: 'v2' };
  metrics.versions([served('search', 'v1', false), served('search', 'v2', true), served('feed', 'v9', true)]);
  metrics.heldOut({ ...V2, task: 'click', rate: 0.25 });
  // Before the first look: must not be seen.
  metrics.requestDone({ ...V2, protocol: 'json', outcome: 'ok', seconds: 2, candidates: 9 });
  metrics.scored({ ...V2, viewType: '', scores: { click: Float32Array.of(0.9) } });
  const from = await scrape(1000);
  for (let request = 0; request < 20; request += 1) {
    metrics.requestDone({ ...V2, protocol: 'json', outcome: request < 18 ? 'ok' : 'overloaded', seconds: 0.0018, candidates: 100 });
    metrics.scored({ ...V2, viewType: '', scores: { click: Float32Array.of(0.25, 0.75) } });
    metrics.batchDone({ ...V2, requests: 2, candidates: 200, queueSeconds: [0.0004, 0.0004], runSeconds: 0.01, encodedUsers: 1, cachedUsers: 1, tokens: 1, places: 2, runMs: 8 });
    metrics.defaulted('search', 'v2', ['a', 'b', 'c', 'd', 'e', 'f'].map((feature, index) => ({ feature, reason: 'missing', rows: index + 1 })));
  }
  metrics.requestDone({ surface: 'nothing', version: '', protocol: 'json', outcome: 'not_found', seconds: 0.001, candidates: 1 });
  metrics.queue({ waiting: 3, running: 1 });
  metrics.workers({ alive: 2, restarts: 1 });
  const view = topView(from, await scrape(11_000));
  expect(view.versions.map(({ surface, version, isCurrent }) => [surface, version, isCurrent])).toEqual([['feed', 'v9', true], ['search', 'v2', true], ['search', 'v1', false]]);
  const search = view.versions[1]!;
  expect(search).toMatchObject({ requests: 2, errors: 0.2, candidates: 180, batchRequests: 2, batchCandidates: 200, broadcastRatio: 200, cacheHitRate: 0.5 });
  // All 18 lie in the bucket from 1 to 2 ms.
  expect(search.p50).toBeCloseTo(0.0015, 9);
  expect(search.p99).toBeCloseTo(0.00199, 9);
  expect(search.queueWaitP99).toBeCloseTo(0.000495, 9);
  expect(search.defaulted.map(({ feature, perSecond }) => [feature, perSecond])).toEqual([['f', 12], ['e', 10], ['d', 8], ['c', 6], ['b', 4]]);
  expect(search.tasks).toEqual([{ task: 'click', meanPrediction: 0.5, heldOutRate: 0.25 }]);
  expect(view.versions[2]).toMatchObject({ requests: 0, errors: 0, p50: null, broadcastRatio: null, cacheHitRate: null, batchRequests: null, defaulted: [], tasks: [] });
  expect(view).toMatchObject({ windowSeconds: 10, unknownRequests: 0.1, shed: 0, queue: { waiting: 3, running: 1 }, workers: { alive: 2, restarts: 1 } });
  const text = plain(renderTop(view));
  for (const shown of ['search', 'v2', '2.00×', 'missing', 'workers 2', 'unknown/s 0.1']) expect(text).toContain(shown);
  expect(text).not.toMatch(/NaN|undefined|Infinity/u);
});

test('a server without traffic, and an endpoint that is no server of ours', async () => {
  metrics.versions([served('search', 'v1', true)]);
  const idle = topView(await scrape(0), await scrape(1000));
  expect(idle.versions[0]).toMatchObject({ requests: 0, p99: null });
  const other = topView(textScrape(0, 'up 1'), textScrape(1000, 'up 1'));
  expect(other.versions).toEqual([]);
  expect(other.workers.alive).toBeNull();
  for (const view of [idle, other]) expect(plain(renderTop(view))).not.toMatch(/NaN|undefined|Infinity/u);
  expect(plain(renderTop(other))).toContain('no version is loaded');
});

test('a counter that has fallen started again from zero; one that is new did too', () => {
  const window = new MetricWindow(textScrape(0, 'a{x="1"} 100\na{x="2"} 5'), textScrape(2000, 'a{x="1"} 4\na{x="2"} 7\na{x="3"} 1'));
  expect(window.increase('a')).toBe(7);
  expect(window.rate('a', { x: '2' })).toBe(1);
});

test.each([
  [0, 0],
  [0.25, 0.5],
  [0.5, 1],
  [0.75, 2],
  [0.9, 4],
  [1, 4],
])('the %f quantile is that of histogram_quantile', (share, expected) => {
  const empty = textScrape(0, '');
  const buckets = (le: string, count: number): string => `t_bucket{le="${le}",s="a"} ${count / 2}\nt_bucket{le="${le}",s="b"} ${count / 2}`;
  const window = new MetricWindow(empty, textScrape(1, [buckets('1', 50), buckets('2', 75), buckets('4', 90), buckets('+Inf', 100)].join('\n')));
  expect(window.quantile(share, 't')).toBeCloseTo(expected, 9);
});
