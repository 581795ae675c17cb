import { readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { ServeMetrics } from './serve-metrics.js';

const metrics = new ServeMetrics();
afterAll(() => {
  metrics.close();
});

const types = new Map([...(await metrics.text()).matchAll(/^# TYPE (onefold_\w+) (\w+)$/gmu)].map((match) => [match[1]!, match[2]!]));

const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** The metric that a series belongs to. */
const metricOf = (series: string): string => {
  const base = series.replace(/_(?:bucket|sum|count)$/u, '');
  return types.get(base) === 'histogram' ? base : series;
};

test('the guide lists every metric with its type, and no other', async () => {
  const guide = await read('docs/observability.md');
  const listed = guide.split('\n').flatMap((line): [string, string][] => {
    const cells = /^\| (`onefold_[^|]+) \| ([^|]+) \|/u.exec(line);
    if (cells === null) return [];
    const names = [...cells[1]!.matchAll(/`(\w+)`/gu)].map((match) => match[1]!);
    const kinds = cells[2]!.split(',').map((kind) => kind.trim());
    return names.map((name, index) => [name, kinds[index] ?? kinds[0]!]);
  });
  expect(new Map(listed.sort())).toEqual(new Map([...types].sort()));
});

test.each(['docs/observability.md', 'deploy/prometheus/alerts.yaml'])('%s asks only for series that there are', async (path) => {
  const queries = path.endsWith('.md') ? [...(await read(path)).matchAll(/```promql\n(.*?)```/gsu)].map((match) => match[1]!).join() : await read(path);
  const asked = new Set([...queries.matchAll(/\bonefold_\w+/gu)].map((match) => match[0]));
  expect(asked.size).toBeGreaterThan(5);
  for (const series of asked) expect([...types.keys()]).toContain(metricOf(series));
});
