/** What the others would lose if one surface were left out. */
import type { LeaveOneOut } from '../../report.js';
import { figure, gallery } from '../charts/figure.js';
import { intervalChart } from '../charts/interval-chart.js';
import { html, type Html } from '../html.js';
import { signed } from '../numbers.js';
import { qualityTable } from '../quality-table.js';
import type { SectionOf } from '../section.js';
import { verdictSeries, VERDICT_LEGEND } from '../verdict-series.js';

const WORDS = { better: 'better without', worse: 'worse without', 'no difference': 'no difference' } as const;

const chartOf = (id: string, { without, quality }: LeaveOneOut, task: string): Html => {
  const cells = quality.filter((cell) => cell.metric === 'auc' && cell.task === task);
  return figure(
    { title: `Without ${without}`, note: `AUC of ${task} without it less with it; left of the line: it is missed`, legend: VERDICT_LEGEND.map((entry) => ({ ...entry, name: WORDS[entry.name as keyof typeof WORDS] })) },
    intervalChart(id, { names: cells.map(({ surface }) => surface), series: verdictSeries(cells), reference: 0, format: (value) => signed(value, 3) }),
  );
};

export const leaveOneOutSection: SectionOf = ({ leaveOneOut, tasks }) => {
  if (leaveOneOut.length === 0) return null;
  return {
    id: 'leave-one-out',
    title: 'If one surface were left out',
    body: html`<p>The final model trained once more without each surface, and compared on the others: what a surface’s traffic gives them.</p>
${gallery(leaveOneOut.map((one, index) => chartOf(`without-${index}`, one, tasks[0] ?? '')))}${leaveOneOut.map(
      (one) => html`<h3>Without ${one.without}</h3>\n${qualityTable(`Without ${one.without}`, one.quality, { champion: 'with it', challenger: 'without it', verdict: 'the others are', words: WORDS })}`,
    )}`,
  };
};
