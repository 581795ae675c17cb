import type { Interval } from '../../../evaluate/bootstrap.js';
import type { Html } from '../html.js';
import { axisLabel, draw, GRID, nameAxis, VALUE_AXIS, WIDTH } from './draw.js';
import { PAPER, SOFT, type Look, type Shape } from './palette.js';

export interface IntervalPoint {
  readonly value: number;
  readonly interval: Interval | null;
}

export interface IntervalSeries {
  readonly look: Look;
  /** One a row. */
  readonly points: readonly (IntervalPoint | null)[];
}

export interface IntervalChart {
  readonly names: readonly string[];
  readonly series: readonly IntervalSeries[];
  /** Where "no difference" is: a vertical line. */
  readonly reference: number;
  readonly format: (value: number) => string;
  /** Series of one row below each other; else on one line. Default false. */
  readonly apart?: boolean;
}

const RADIUS = 5;
const GAP = 13;

const symbolOf = (shape: Shape, [x, y]: readonly [number, number], color: string): object => {
  const style = { fill: color, stroke: color, lineWidth: 1 };
  const polygon = (points: readonly (readonly [number, number])[]): object => ({ type: 'polygon', shape: { points: points.map(([dx, dy]) => [x + dx, y + dy]) }, style });
  switch (shape) {
    case 'circle':
      return { type: 'circle', shape: { cx: x, cy: y, r: RADIUS }, style };
    case 'ring':
      return { type: 'circle', shape: { cx: x, cy: y, r: RADIUS - 0.5 }, style: { fill: PAPER, stroke: color, lineWidth: 2 } };
    case 'diamond':
      return polygon([[0, -6.5], [6.5, 0], [0, 6.5], [-6.5, 0]]);
    case 'triangle':
      return polygon([[0, -6], [6, 5], [-6, 5]]);
    case 'square':
      return polygon([[-4.5, -4.5], [4.5, -4.5], [4.5, 4.5], [-4.5, 4.5]]);
  }
};

/** What ECharts gives a custom series to draw with. */
interface Drawing {
  readonly value: (dimension: number) => number;
  readonly coord: (point: readonly [number, number]) => readonly [number, number];
}

/** The scale's ends: all that is drawn, and the reference. */
const extentOf = ({ series, reference }: IntervalChart): { readonly min: number; readonly max: number } => {
  const values = series.flatMap(({ points }) => points.flatMap((point) => (point === null ? [] : [point.value, point.interval?.low ?? point.value, point.interval?.high ?? point.value])));
  const [low, high] = [Math.min(reference, ...values), Math.max(reference, ...values)];
  const margin = 0.06 * (high - low) || Math.abs(reference) * 0.01 || 0.001;
  return { min: low - margin, max: high + margin };
};

/** A dot and its interval per row: where the interval holds the reference line, nothing is shown. */
export const intervalChart = (id: string, chart: IntervalChart): Html => {
  const { names, series, reference, format, apart = false } = chart;
  const { min, max } = extentOf(chart);
  const rowHeight = apart ? 14 + GAP * series.length : 34;
  return draw(id, { width: WIDTH, height: 40 + rowHeight * names.length }, {
    grid: { ...GRID, right: 28 },
    xAxis: { ...VALUE_AXIS, splitNumber: 3, min, max, axisLabel: { ...axisLabel(format), showMinLabel: false, showMaxLabel: false } },
    yAxis: nameAxis(names),
    series: series.map(({ look, points }, index) => ({
      type: 'custom',
      silent: true,
      // Row, value, low, high.
      data: points.flatMap((point, row) => (point === null ? [] : [[row, point.value, point.interval?.low ?? point.value, point.interval?.high ?? point.value]])),
      encode: { x: [1, 2, 3], y: 0 },
      renderItem: (_: unknown, api: Drawing): object => {
        const shift = apart ? GAP * (index - (series.length - 1) / 2) : 0;
        const at = (dimension: number): readonly [number, number] => {
          const [x, y] = api.coord([api.value(dimension), api.value(0)]);
          return [x, y + shift];
        };
        const [[x1, y], [x2]] = [at(2), at(3)];
        const style = { stroke: look.color, lineWidth: 2, fill: 'none' };
        const line = (shape: object): object => ({ type: 'line', shape, style });
        return {
          type: 'group',
          children: [line({ x1, x2, y1: y, y2: y }), line({ x1, x2: x1, y1: y - 4, y2: y + 4 }), line({ x1: x2, x2, y1: y - 4, y2: y + 4 }), symbolOf(look.shape, at(1), look.color)],
        };
      },
      ...(index === 0 ? { markLine: { silent: true, symbol: 'none', label: { show: false }, lineStyle: { color: SOFT, type: 'solid', width: 1.5 }, data: [{ xAxis: reference }] } } : {}),
    })),
  });
};
