import { describe, expect, it } from 'vitest';
import { readHtml } from '../../../../test/support/html-check.js';
import type { Html } from '../html.js';
import { barChart } from './bar-chart.js';
import { intervalChart } from './interval-chart.js';
import { lineChart } from './line-chart.js';
import { BLUE, ORANGE } from './palette.js';
import { reliabilityChart } from './reliability-chart.js';
import { stepChart } from './step-chart.js';

const look = { color: BLUE, shape: 'circle' } as const;
const HOSTILE = '<b>"&{a|x}</b>';

const CHARTS: Readonly<Record<string, (id: string) => Html>> = {
  bars: (id) => barChart(id, { bars: [{ name: 'group', value: null }, { name: HOSTILE, value: 2 }, { name: 'b', value: -1, color: ORANGE }], format: (value) => value.toFixed(1), reference: 1 }),
  intervals: (id) =>
    intervalChart(id, {
      names: [HOSTILE, 'b'],
      series: [{ look: { color: ORANGE, shape: 'diamond' }, points: [null, null] }, { look, points: [{ value: 0.5, interval: { low: 0.25, high: 0.75 } }, { value: -0.5, interval: null }] }],
      reference: 0,
      format: (value) => value.toFixed(2),
    }),
  lines: (id) => lineChart(id, { size: { width: 300, height: 200 }, series: [{ look, points: [[1, 0.5], [2, 0.25]] }], x: String, y: String }),
  reliability: (id) => reliabilityChart(id, [{ look, bins: [{ rows: 10, predicted: 0.1, observed: 0.2 }, { rows: 10, predicted: 0.3, observed: 0.31 }] }]),
  steps: (id) => stepChart(id, ['start', HOSTILE], [{ look, values: [0, 0.01] }], 0, (value) => value.toFixed(3)),
};

const textOf = (chart: Html): string => readHtml(`<!DOCTYPE html>${chart.markup}`).text;
/** Numbers of a circle's `cx`, or of the start of a path. */
const xs = (markup: string, pattern: RegExp): readonly number[] => [...markup.matchAll(pattern)].map(([, x]) => Number(x));

describe.each(Object.entries(CHARTS))('a chart of %s', (_, make) => {
  it('is well-formed SVG that scales, with nothing of another chart or of a script', () => {
    const { markup } = make('mine');
    expect(markup).toMatch(/^<svg aria-hidden="true" viewBox="0 0 \d+ \d+">/u);
    expect(readHtml(`<!DOCTYPE html>${markup}`).tags).not.toContain('style');
    expect(markup).not.toMatch(/zr\d|ecmeta|class=|http|NaN|undefined/u);
  });

  it('is the same whatever was drawn before it', () => {
    const first = make('mine').markup;
    for (const other of Object.values(CHARTS)) other('other');
    expect(make('mine').markup).toBe(first);
  });
});

describe('charts', () => {
  it('show names as text', () => {
    for (const name of ['bars', 'intervals', 'steps'] as const) expect(textOf(CHARTS[name]!('a'))).toContain(HOSTILE);
  });

  it('give bars the length of their values, and write these', () => {
    const { markup } = barChart('a', { bars: [{ name: 'a', value: 1 }, { name: 'b', value: 3 }], format: (value) => `${value} units` });
    const lengths = [...markup.matchAll(/<path d="(M[^"]*)" fill="var\(--blue\)"/gu)].map(([, path]) => {
      const along = xs(path!, /([\d.]+) [\d.]+(?=[LAZ])/gu);
      return Math.max(...along) - Math.min(...along);
    });
    expect(lengths).toHaveLength(2);
    expect(lengths[1]! / lengths[0]!).toBeCloseTo(3, 1);
    expect(textOf({ markup })).toMatch(/1 units.*3 units/u);
  });

  it('place the dots of intervals by their values, between their ends', () => {
    const { markup } = CHARTS.intervals!('a');
    const [right, left] = xs(markup, /<circle cx="([\d.]+)"/gu);
    expect(right!).toBeGreaterThan(left!);
    const ends = xs(markup, /<path d="M([\d.]+) [\d.]+L[\d.]+ [\d.]+" fill="none"[^>]* stroke="var\(--blue\)"/gu);
    expect(Math.min(...ends)).toBeLessThan(right!);
    expect(Math.max(...ends)).toBeGreaterThan(right!);
  });

  it('give reliability curves axes of equal ends, in percent', () => {
    expect(textOf(CHARTS.reliability!('a')).match(/40 %/gu)).toHaveLength(2);
    expect(textOf(reliabilityChart('a', [{ look, bins: [{ rows: 5, predicted: 0.0004, observed: 0.0007 }] }])).match(/0\.08 %/gu)).toHaveLength(2);
  });
});
