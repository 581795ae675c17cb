import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { DataError } from '../../config/errors.js';
import { parseMetrics, type Sample } from './parse-metrics.js';

const LABEL_NAMES = ['surface', 'le_', 'task9'] as const;

const labelText = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.array(fc.constantFrom('\\', '"', '\n', 'n', '{', '}', ',', '=', ' '), { maxLength: 8 }).map((parts) => parts.join('')));

const series = fc.record({ labels: fc.tuple(labelText, labelText, labelText), value: fc.oneof(fc.double(), fc.integer()) });

const inOrder = (samples: readonly Sample[]): readonly string[] => samples.map(({ name, labels, value }) => JSON.stringify([name, Object.entries(labels).sort(), String(value)])).sort();

test('reads what prom-client prints', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(series, { maxLength: 6 }), fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 6 }), async (gauges, observed) => {
      const registry = new Registry();
      const gauge = new Gauge({ name: 'a_gauge', help: 'Has "quotes", \\ and\nlines.', labelNames: LABEL_NAMES, registers: [registry] });
      for (const { labels, value } of gauges) gauge.set(Object.fromEntries(LABEL_NAMES.map((name, index) => [name, labels[index]!])), value);
      new Counter({ name: 'a_counter_total', help: 'Counts.', registers: [registry] }).inc(3);
      const histogram = new Histogram({ name: 'a_histogram', help: 'Bins.', labelNames: ['surface'], buckets: [0.1, 1], registers: [registry] });
      for (const value of observed) histogram.observe({ surface: 'home "feed"' }, value);
      const printed = (await registry.getMetricsAsJSON()).flatMap((metric) =>
        (metric.values as readonly { readonly metricName?: string; readonly labels: Readonly<Record<string, string | number>>; readonly value: number }[]).map(({ metricName, labels, value }) => ({
          name: metricName ?? metric.name,
          labels: Object.fromEntries(Object.entries(labels).map(([name, label]) => [name, String(label)])),
          value,
        })),
      );
      expect(inOrder(parseMetrics(await registry.metrics(), 'text'))).toEqual(inOrder(printed.map((sample) => ({ ...sample, value: Object.is(sample.value, -0) ? 0 : sample.value }))));
    }),
    { numRuns: 200 },
  );
});

test.each([
  ['up 1 1395066363000', { name: 'up', labels: {}, value: 1 }],
  ['a:b{x="1",} +Inf', { name: 'a:b', labels: { x: '1' }, value: Infinity }],
  ['a{} -inf', { name: 'a', labels: {}, value: -Infinity }],
  ['a{ x = "1" , y="\\\\n\\n\\"" } 1e-3', { name: 'a', labels: { x: '1', y: '\\n\n"' }, value: 0.001 }],
  ['a  NaN', { name: 'a', labels: {}, value: NaN }],
])('reads %s', (line, sample) => {
  expect(parseMetrics(`# HELP a b\n\n${line}\n`, 'text')).toEqual([sample]);
});

test.each(['<html>', '{"status": "ok"}', 'a', 'a{x="1" 2', 'a{x=1} 2', 'a{x="1"} two', 'a 1 2 3', 'a{x="1"}', 'a{x="1" y="2"} 1'])('refuses %s, naming the line', (line) => {
  const error = (() => {
    try {
      return parseMetrics(`up 1\n${line}\n`, 'http://x/metrics');
    } catch (raised) {
      return raised;
    }
  })();
  expect(error).toBeInstanceOf(DataError);
  expect(error).toMatchObject({ where: 'http://x/metrics:2', message: expect.stringContaining(line) as string });
});
