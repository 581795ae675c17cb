import type { Html } from '../html.js';
import { axisLabel, draw, GRID, nameAxis, VALUE_AXIS, WIDTH } from './draw.js';
import { SOFT, type Look, type Shape } from './palette.js';

export interface StepSeries {
  readonly look: Look;
  /** One a row, from the top; null where it has none. */
  readonly values: readonly (number | null)[];
}

const SYMBOLS: Readonly<Record<Shape, string>> = { circle: 'circle', ring: 'emptyCircle', diamond: 'diamond', triangle: 'triangle', square: 'rect' };
const ROW = 34;

/** Lines that go down a list of steps, against a reference line. */
export const stepChart = (id: string, names: readonly string[], series: readonly StepSeries[], reference: number, format: (value: number) => string): Html =>
  draw(id, { width: WIDTH, height: 40 + ROW * names.length }, {
    grid: { ...GRID, right: 28 },
    xAxis: { ...VALUE_AXIS, splitNumber: 3, axisLabel: axisLabel(format) },
    yAxis: nameAxis(names),
    series: series.map(({ look: { color, shape, dash = 'solid' }, values }, index) => ({
      type: 'line',
      silent: true,
      symbol: SYMBOLS[shape],
      symbolSize: 10,
      itemStyle: { color },
      lineStyle: { color, width: 2, type: dash },
      data: values.flatMap((value, row) => (value === null ? [] : [[value, row]])),
      ...(index === 0 ? { markLine: { silent: true, symbol: 'none', label: { show: false }, lineStyle: { color: SOFT, type: 'solid', width: 1.5 }, data: [{ xAxis: reference }] } } : {}),
    })),
  });
