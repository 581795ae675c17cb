import type { ReliabilityBin } from '../../../evaluate/calibration.js';
import type { Html } from '../html.js';
import { percent } from '../numbers.js';
import { SMALL_WIDTH } from './draw.js';
import { lineChart } from './line-chart.js';
import type { Look } from './palette.js';

/** Round ends of a scale, and the parts it is cut into. */
const SCALES = [[1, 2], [2, 2], [3, 3], [4, 4], [6, 3], [8, 4], [10, 2], [20, 2]] as const;

/** A scale from 0 to a little more than the largest rate. */
const scaleOf = (largest: number): { readonly end: number; readonly tick: number } => {
  if (largest <= 0) return { end: 1, tick: 0.5 };
  const size = 10 ** Math.floor(Math.log10(largest));
  const [end, parts] = SCALES.find(([one]) => one * size >= largest * 1.02) ?? SCALES.at(-1)!;
  return end * size >= 1 ? { end: 1, tick: 0.5 } : { end: end * size, tick: (end * size) / parts };
};

/** Observed against predicted rate, from 0, with the line on which both are equal. */
export const reliabilityChart = (id: string, curves: readonly { readonly look: Look; readonly bins: readonly ReliabilityBin[] }[]): Html => {
  const largest = Math.max(0, ...curves.flatMap(({ bins }) => bins.flatMap(({ predicted, observed }) => [predicted, observed])));
  const diagonal = scaleOf(largest);
  const text = (value: number): string => percent(value, Math.max(0, Math.ceil(-Math.log10(100 * diagonal.tick) - 1e-9)));
  return lineChart(id, {
    size: { width: SMALL_WIDTH, height: 250 },
    series: curves.map(({ look, bins }) => ({ look, points: bins.map(({ predicted, observed }) => [predicted, observed] as const) })),
    x: text,
    y: text,
    diagonal,
  });
};
