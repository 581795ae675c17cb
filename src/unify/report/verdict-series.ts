import type { Interval } from '../../evaluate/bootstrap.js';
import type { Verdict } from '../../evaluate/comparison.js';
import type { LegendEntry } from './charts/figure.js';
import type { IntervalSeries } from './charts/interval-chart.js';
import { BLUE, RED, SOFT, type Look } from './charts/palette.js';

/** What a comparison found in one place. */
interface Found {
  readonly difference: number | null;
  readonly interval: Interval | null;
  readonly verdict: Verdict | null;
}

const LOOK: Readonly<Record<Verdict, Look>> = {
  better: { color: BLUE, shape: 'circle' },
  worse: { color: RED, shape: 'diamond' },
  'no difference': { color: SOFT, shape: 'ring' },
};

export const VERDICT_LEGEND: readonly LegendEntry[] = (['better', 'worse', 'no difference'] as const).map((verdict) => ({ name: verdict, look: LOOK[verdict] }));

/** Differences as a series per verdict. One without an interval is drawn as one that shows nothing. */
export const verdictSeries = (found: readonly (Found | undefined)[]): readonly IntervalSeries[] =>
  (Object.keys(LOOK) as Verdict[]).map((verdict) => ({
    look: LOOK[verdict],
    points: found.map((one) => (one === undefined || one.difference === null || (one.verdict ?? 'no difference') !== verdict ? null : { value: one.difference, interval: one.interval })),
  }));
