import Table from 'cli-table3';
import pc from 'picocolors';
import type { Interval } from './bootstrap.js';
import { METRICS, type MetricName } from './metrics.js';
import type { BySlice, Scope } from './slices.js';

const NONE = pc.dim('–');

/** 950, 12.3k, 1.23M. */
export const compactCount = (count: number): string => {
  if (count < 10_000) return String(count);
  // 999,500 would be 1.00e+3k.
  return count < 999_500 ? `${(count / 1000).toPrecision(3)}k` : `${(count / 1_000_000).toFixed(count < 9_995_000 ? 2 : 1)}M`;
};

/** 4 decimals, 3 for ratios around 1, percent for excess. */
export const metricText = (name: MetricName, value: number | null | undefined): string => {
  if (value === null || value === undefined) return NONE;
  if (name === 'excess') return `${(100 * value).toFixed(2)}%`;
  return value.toFixed(name === 'calibrationRatio' || name === 'truthCalibration' || name === 'calibrationError' ? 3 : 4);
};

/** With its sign, and without one where it rounds to zero. */
export const signedText = (name: MetricName, value: number | null): string => {
  if (value === null) return NONE;
  const text = metricText(name, Math.abs(value));
  if (/^[0.]+%?$/u.test(text)) return text;
  return (value > 0 ? '+' : '−') + text;
};

/** `[low, high]`. */
export const intervalText = (interval: Interval | null | undefined, text: (value: number) => string): string =>
  interval === null || interval === undefined ? NONE : `[${text(interval.low)}, ${text(interval.high)}]`;

/** Headings that fit over their numbers. */
export const heading = (name: MetricName): string => (name === 'calibrationRatio' ? 'calib' : METRICS[name].title);

const LONGEST_NAME = 22;

/** A slice's name: overall in bold, view types indented under their surface and without its name. */
export const sliceText = ({ scope, name, surface }: { scope: Scope; name: string; surface: string | null }): string => {
  const own = scope === 'viewType' && surface !== null && name.startsWith(`${surface}/`) ? name.slice(surface.length + 1) : name;
  const indented = `${{ overall: '', surface: '', viewType: '  ' }[scope]}${own}`;
  const short = indented.length > LONGEST_NAME ? `${indented.slice(0, LONGEST_NAME - 1)}…` : indented;
  if (scope === 'overall') return pc.bold(short);
  return scope === 'viewType' ? pc.dim(short) : short;
};

/** Overall, then each surface followed by its view types; a view type that is all of its surface is not repeated. */
export const slicesInOrder = <T extends { readonly surface: string | null; readonly rows: number }>(
  { overall, surfaces, viewTypes }: BySlice<T>,
  withViewTypes = true,
): readonly T[] => [
  overall,
  ...surfaces.flatMap((surface) => [
    surface,
    ...(withViewTypes ? viewTypes : []).filter((viewType) => viewType.surface === surface.surface && viewType.rows < surface.rows),
  ]),
];

/** A table without a frame; the first column is text, the others numbers unless named in `text`. */
export const plainTable = (headings: readonly string[], rows: readonly (readonly string[])[], text: readonly number[] = []): string => {
  const table = new Table({
    head: headings.map((name) => pc.dim(name)),
    colAligns: headings.map((_, column) => (column === 0 || text.includes(column) ? 'left' : 'right')),
    chars: {
      top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
      left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
    },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (const row of rows) table.push([...row]);
  return table.toString().replaceAll(/[ \t]+$/gmu, '');
};
