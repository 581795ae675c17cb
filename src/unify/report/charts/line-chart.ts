import type { Html } from '../html.js';
import { axisLabel, draw, GRID, VALUE_AXIS, type Size } from './draw.js';
import { SOFT, type Look, type Shape } from './palette.js';

export interface LineSeries {
  readonly look: Look;
  /** `[x, y]`. */
  readonly points: readonly (readonly [number, number])[];
  /** Draw its symbols only. */
  readonly dotsOnly?: boolean;
}

export interface LineChart {
  readonly size: Size;
  readonly series: readonly LineSeries[];
  readonly x: (value: number) => string;
  readonly y: (value: number) => string;
  /** Both axes from 0 to `end`, with the line on which both are equal. */
  readonly diagonal?: { readonly end: number; readonly tick: number };
}

const SYMBOLS: Readonly<Record<Shape, string>> = { circle: 'circle', ring: 'emptyCircle', diamond: 'diamond', triangle: 'triangle', square: 'rect' };

const equalLine = (end: number): object => ({ type: 'line', silent: true, symbol: 'none', lineStyle: { color: SOFT, width: 1, type: 'solid' }, data: [[0, 0], [end, end]] });

/** Lines over a number: training curves and reliability curves. */
export const lineChart = (id: string, { size, series, x, y, diagonal }: LineChart): Html => {
  const range = diagonal === undefined ? { scale: true } : { min: 0, max: diagonal.end, interval: diagonal.tick };
  const line = ({ look: { color, shape, dash = 'solid' }, points, dotsOnly = false }: LineSeries): object => ({
    type: 'line',
    silent: true,
    data: points.map((point) => [...point]),
    symbol: SYMBOLS[shape],
    symbolSize: dotsOnly ? 11 : 6,
    showSymbol: true,
    itemStyle: { color },
    lineStyle: { color, width: dotsOnly ? 0 : 2, type: dash },
  });
  return draw(id, size, {
    grid: { ...GRID, left: 10 },
    xAxis: { ...VALUE_AXIS, splitNumber: 3, ...range, axisLabel: axisLabel(x) },
    yAxis: { ...VALUE_AXIS, splitNumber: 3, ...range, axisLabel: axisLabel(y) },
    series: [...(diagonal === undefined ? [] : [equalLine(diagonal.end)]), ...series.map(line)],
  });
};
