/** Separate models against the result, per surface and task. */
import type { MetricDifference, SliceComparison, TaskComparison } from '../../../evaluate/comparison.js';
import type { MetricName } from '../../../evaluate/metrics.js';
import { slicesInOrder } from '../../../evaluate/table-cells.js';
import type { UnifyReport } from '../../report.js';
import { figure, gallery } from '../charts/figure.js';
import { intervalChart } from '../charts/interval-chart.js';
import { fold } from '../fold.js';
import { html, NOTHING, type Html } from '../html.js';
import { verdictMark } from '../marks.js';
import { between, count, fixed, percent, signed } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { groupedTable, type Column, type Row, type RowGroup } from '../table.js';
import { VERDICT_LEGEND, verdictSeries } from '../verdict-series.js';

/** Calibration shows both ratios and how much nearer to 1 the second is. */
const SHOWN: readonly { readonly metric: MetricName; readonly value: MetricName; readonly title: string; readonly digits: number }[] = [
  { metric: 'auc', value: 'auc', title: 'AUC', digits: 4 },
  { metric: 'gauc', value: 'gauc', title: 'GAUC', digits: 4 },
  { metric: 'ne', value: 'ne', title: 'NE', digits: 4 },
  { metric: 'calibrationError', value: 'calibrationRatio', title: 'calibration', digits: 3 },
];

const rowsOf = (slice: SliceComparison): readonly Row[] =>
  SHOWN.flatMap(({ metric, value, title, digits }) => {
    const found = slice.metrics[metric];
    if (found === undefined) return [];
    const text = (one: number): string => signed(one, digits);
    return [[title, fixed(slice.a[value], digits), fixed(slice.b[value], digits), signed(found.difference, digits), between(found.interval, text), verdictMark(found.verdict)]];
  });

const columnsOf = (level: number): readonly Column[] => [
  { title: 'surface' },
  { title: 'metric' },
  { title: 'separate', kind: 'number' },
  { title: 'unified', kind: 'number' },
  { title: 'difference', kind: 'number' },
  { title: `${percent(level)} interval`, kind: 'number' },
  { title: 'unified is' },
];

const groupOf = (slice: SliceComparison): RowGroup => ({ name: html`${slice.name}<br><span class="sub">${count(slice.rows)} rows</span>`, rows: rowsOf(slice) });

const chartOf = (id: string, task: TaskComparison, metric: 'auc' | 'ne'): Html => {
  const slices = slicesInOrder(task, false);
  const found = slices.map(({ metrics }): MetricDifference | undefined => metrics[metric]);
  return figure(
    {
      title: `${metric.toUpperCase()} of ${task.task}`,
      note: `unified less separate, with its interval; ${metric === 'auc' ? 'right' : 'left'} of the line is better`,
      legend: VERDICT_LEGEND,
    },
    intervalChart(id, { names: slices.map(({ name }) => name), series: verdictSeries(found), reference: 0, format: (value) => signed(value, 3) }),
  );
};

const viewTypesOf = (task: TaskComparison, columns: readonly Column[]): Html => {
  const parts = slicesInOrder(task).filter(({ scope }) => scope === 'viewType');
  return parts.length === 0 ? NOTHING : fold(`${task.task} by view type`, groupedTable(`${task.task} by view type`, [{ title: 'view type' }, ...columns.slice(1)], parts.map(groupOf)));
};

export const qualitySection: SectionOf = ({ comparison }: UnifyReport) => {
  if (comparison === null) return null;
  const { bootstrap, tasks } = comparison;
  const columns = columnsOf(bootstrap.level);
  return {
    id: 'quality',
    title: 'Quality, before and after',
    body: html`<p>The separate models and the unified one on the same held-out rows. NE is the log loss divided by that of predicting the base rate (lower is better); calibration is the sum of predictions over the sum of labels (1 is right), and its difference is of the distance from 1.</p>
${gallery(tasks.flatMap((task, index) => [chartOf(`quality-${index}-auc`, task, 'auc'), chartOf(`quality-${index}-ne`, task, 'ne')]))}${tasks.map((task) => html`<h3>${task.task}</h3>\n${groupedTable(`${task.task} by surface`, columns, slicesInOrder(task, false).map(groupOf))}${viewTypesOf(task, columns)}`)}`,
  };
};
