import type { Comparison, SliceComparison } from '../../evaluate/comparison.js';
import type { QualityCell } from '../report.js';

const METRICS = ['auc', 'ne'] as const;

const cellsOf = (task: string, slice: SliceComparison): readonly QualityCell[] =>
  METRICS.flatMap((metric) => {
    const found = slice.metrics[metric];
    if (found === undefined) return [];
    const { a, b, difference, interval, verdict } = found;
    return [{ surface: slice.name, task, metric, champion: a, challenger: b, difference, interval, verdict }];
  });

/** AUC and NE of a comparison, per task: overall, then each surface. */
export const qualityCells = ({ tasks }: Comparison): readonly QualityCell[] =>
  tasks.flatMap(({ task, overall, surfaces }) => [overall, ...surfaces].flatMap((slice) => cellsOf(task, slice)));
