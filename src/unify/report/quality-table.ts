import type { QualityCell } from '../report.js';
import type { Html } from './html.js';
import { verdictMark } from './marks.js';
import { between, fixed, signed } from './numbers.js';
import { groupedTable } from './table.js';
import { distinct } from './words.js';

export interface QualityTableNames {
  readonly champion: string;
  readonly challenger: string;
  /** What the verdict column is called, and what its words are. */
  readonly verdict?: string;
  readonly words?: Parameters<typeof verdictMark>[1];
}

/** Metrics of champion and challenger by surface and task; without a champion, the challenger's alone. */
export const qualityTable = (label: string, cells: readonly QualityCell[], names: QualityTableNames): Html => {
  const isCompared = cells.some(({ champion }) => champion !== null);
  const groups = distinct(cells.map(({ surface }) => surface)).map((surface) => ({
    name: surface,
    rows: cells
      .filter((cell) => cell.surface === surface)
      .map(({ task, metric, champion, challenger, difference, interval, verdict }) => [
        task,
        metric.toUpperCase(),
        ...(isCompared ? [fixed(champion)] : []),
        fixed(challenger),
        ...(isCompared ? [signed(difference), between(interval, signed), verdictMark(verdict, names.words)] : []),
      ]),
  }));
  const number = (title: string) => ({ title, kind: 'number' as const });
  return groupedTable(
    label,
    [
      { title: 'surface' },
      { title: 'task' },
      { title: 'metric' },
      ...(isCompared ? [number(names.champion)] : []),
      number(names.challenger),
      ...(isCompared ? [number('difference'), number('interval'), { title: names.verdict ?? `${names.challenger} is` }] : []),
    ],
    groups,
  );
};
