/** The rows it was done with, and how to read the intervals. */
import { SPLITS } from '../../../data/prepared.js';
import type { UnifyReport } from '../../report.js';
import { html } from '../html.js';
import { count, percent } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { groupedTable } from '../table.js';
import { capital } from '../words.js';

const rate = (positives: number | undefined, labelled: number | undefined): string | null => (positives === undefined || labelled === undefined || labelled === 0 ? null : percent(positives / labelled, 2));

export const dataSection: SectionOf = ({ data, surfaces, tasks, comparison }: UnifyReport) => {
  const groups = SPLITS.map((split) => ({
    name: capital(split),
    rows: surfaces.flatMap((surface) => {
      const found = data.counts[split][surface];
      return found === undefined ? [] : [[surface, count(found.requests), count(found.candidates), ...tasks.map((task) => rate(found.positives[task], found.labelled[task]))]];
    }),
  }));
  const bootstrap = comparison?.bootstrap;
  return {
    id: 'data',
    title: 'Data and method',
    body: html`<p>Splits are by time: training on the earliest rows, calibration and choices on the validation rows, and every comparison in this report on the test rows.</p>
${groupedTable('Rows', [{ title: 'split' }, { title: 'surface' }, { title: 'requests', kind: 'number' }, { title: 'candidates', kind: 'number' }, ...tasks.map((task) => ({ title: `${task} rate`, kind: 'number' as const }))], groups)}
${bootstrap === undefined ? null : html`<p>Intervals hold ${percent(bootstrap.level)}: ${bootstrap.replicates} bootstrap replicates over ${count(bootstrap.users)} users (rows of a user stay together), paired when two models are compared. “Better” and “worse” mean that the interval leaves out 0; “no difference” means that it holds 0, so none was shown.</p>\n`}<p class="note">Prepared data: <code>${data.key.slice(0, 16)}</code></p>\n`,
  };
};
