import type { Html } from '../html.js';
import { draw, FONT, GRID, nameAxis, WIDTH } from './draw.js';
import { BLUE, LINE, PAPER, SOFT } from './palette.js';

export interface Bar {
  readonly name: string;
  /** Null: the name is a heading of the bars below it. */
  readonly value: number | null;
  readonly color?: string;
}

export interface BarChartOptions {
  readonly bars: readonly Bar[];
  readonly format: (value: number) => string;
  /** A line to hold bars against. */
  readonly reference?: number;
}

const ROW = 28;

/** Bars to the right with their values, the first at the top. The values stand beside the bars, so there is no scale. */
export const barChart = (id: string, { bars, format, reference }: BarChartOptions): Html => {
  const values = [...bars.flatMap(({ value }) => (value === null ? [] : [value])), ...(reference === undefined ? [] : [reference])];
  return draw(id, { width: WIDTH, height: 16 + ROW * bars.length }, {
    // Room for the longest bar's value.
    grid: { ...GRID, right: 92 },
    xAxis: { type: 'value', show: false, min: Math.min(0, ...values), max: Math.max(0, ...values) || 1 },
    yAxis: { ...nameAxis(bars.map(({ name, value }) => (value === null ? { value: name, textStyle: { fontWeight: 'bold' } } : name))), axisLine: { show: true, lineStyle: { color: LINE } } },
    series: [
      {
        type: 'bar',
        silent: true,
        barWidth: 14,
        data: bars.map(({ value, color = BLUE }) => ({ value: value ?? '-', itemStyle: { color, borderRadius: 2 } })),
        label: { ...FONT, show: true, position: 'right', backgroundColor: PAPER, padding: [1, 2], formatter: ({ value }: { readonly value: number }) => format(value) },
        ...(reference === undefined ? {} : { markLine: { silent: true, symbol: 'none', z: 1, label: { show: false }, lineStyle: { color: SOFT, type: 'dashed', width: 1.5 }, data: [{ xAxis: reference }] } }),
      },
    ],
  });
};
