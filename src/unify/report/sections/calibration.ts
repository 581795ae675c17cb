/** Predictions against what happened, per view type: uncalibrated, with one layer for all, and with a layer per view type. */
import type { Evaluation, SliceEvaluation } from '../../../evaluate/evaluation.js';
import type { CalibrationReport, UnifyReport } from '../../report.js';
import { reliabilityChart } from '../charts/reliability-chart.js';
import { figure, gallery, legend } from '../charts/figure.js';
import { intervalChart, type IntervalPoint } from '../charts/interval-chart.js';
import { CALIBRATION_LOOKS } from '../charts/calibration-looks.js';
import { foldIf } from '../fold.js';
import { html, NOTHING, type Html } from '../html.js';
import { verdictMark } from '../marks.js';
import { between, count, fixed, percent, signed } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { table } from '../table.js';
import { truthPart } from './truth.js';

type Version = keyof typeof CALIBRATION_LOOKS;
const VERSIONS: readonly Version[] = ['before', 'global', 'after'];

interface Place {
  readonly name: string;
  readonly slices: Readonly<Record<Version, SliceEvaluation | undefined>>;
}

const viewTypesOf = (evaluation: Evaluation, task: string): readonly SliceEvaluation[] => evaluation.tasks.find((one) => one.task === task)?.viewTypes ?? [];

const placesOf = (report: CalibrationReport, task: string): readonly Place[] =>
  viewTypesOf(report.after, task).map(({ name }) => {
    const find = (version: Version): SliceEvaluation | undefined => viewTypesOf(report[version], task).find((slice) => slice.name === name);
    return { name, slices: { before: find('before'), global: find('global'), after: find('after') } };
  });

const ratio = (slice: SliceEvaluation | undefined): string => fixed(slice?.metrics.calibrationRatio, 3);
const ratioAndInterval = (slice: SliceEvaluation | undefined): Html => html`${ratio(slice)}<br><span class="sub">${between(slice?.intervals?.calibrationRatio, (value) => fixed(value, 3))}</span>`;
const ece = (slice: SliceEvaluation | undefined): string => fixed(slice?.metrics.ece, 4);

const ratioTable = (task: string, places: readonly Place[]): Html => {
  const number = (title: string) => ({ title, kind: 'number' as const });
  return table(
    `Calibration of ${task} by view type`,
    [{ title: 'view type' }, number('rows'), number('ratio before'), number('ratio, one layer'), number('ratio after'), number('ECE before'), number('ECE, one layer'), number('ECE after')],
    places.map(({ name, slices }) => [name, count(slices.after?.rows), ...VERSIONS.map((version) => ratioAndInterval(slices[version])), ...VERSIONS.map((version) => ece(slices[version]))]),
  );
};

const pointOf = (slice: SliceEvaluation | undefined): IntervalPoint | null => {
  const value = slice?.metrics.calibrationRatio;
  return value === null || value === undefined ? null : { value, interval: slice?.intervals?.calibrationRatio ?? null };
};

const LEGEND = VERSIONS.map((version) => CALIBRATION_LOOKS[version]);

const ratioChart = (id: string, task: string, places: readonly Place[]): Html =>
  figure(
    { title: `Calibration ratio of ${task}`, note: 'predictions over labels, with its interval; 1 is right', legend: LEGEND },
    intervalChart(id, {
      names: places.map(({ name }) => name),
      series: VERSIONS.map((version) => ({ look: CALIBRATION_LOOKS[version].look, points: places.map(({ slices }) => pointOf(slices[version])) })),
      reference: 1,
      format: (value) => fixed(value, 2),
      apart: true,
    }),
  );

const reliability = (id: string, { name, slices }: Place): Html =>
  figure(
    { title: name, foot: html`ratio ${VERSIONS.map((version) => ratio(slices[version])).join(' → ')}<br>ECE ${VERSIONS.map((version) => ece(slices[version])).join(' → ')}` },
    reliabilityChart(id, VERSIONS.map((version) => ({ look: CALIBRATION_LOOKS[version].look, bins: slices[version]?.reliability ?? [] }))),
    'small',
  );

const comparisonTable = ({ comparison, tasks }: CalibrationReport): Html => {
  const level = comparison.bootstrap.level;
  const number = (title: string) => ({ title, kind: 'number' as const });
  return table(
    'One layer for all against a layer per view type',
    [{ title: 'task' }, { title: 'method per view type' }, { title: 'method of one layer' }, number('log loss, one layer'), number('per view type'), number('difference'), number(`${percent(level)} interval`), { title: 'per view type is' }],
    tasks.map(({ task, method, globalMethod }) => {
      const found = comparison.tasks.find((one) => one.task === task)?.overall.metrics.logLoss;
      return [task, method, globalMethod, fixed(found?.a, 5), fixed(found?.b, 5), signed(found?.difference, 5), between(found?.interval, (value) => signed(value, 5)), verdictMark(found?.verdict)];
    }),
  );
};

const choiceTable = ({ tasks }: CalibrationReport): Html =>
  table(
    'How the methods did',
    [{ title: 'task' }, { title: 'method' }, { title: 'held-out log loss, per view type', kind: 'number' }, { title: 'one layer', kind: 'number' }, { title: '' }],
    tasks.flatMap(({ task, method, globalMethod, scores }) =>
      scores.map((score) => [task, score.method, fixed(score.perViewType, 5), fixed(score.global, 5), [score.method === method ? 'chosen per view type' : null, score.method === globalMethod ? 'chosen as one layer' : null].filter((text) => text !== null).join(', ')]),
    ),
  );

export const calibrationSection: SectionOf = ({ calibration, tasks }: UnifyReport) => {
  if (calibration === null) return null;
  const byTask = tasks.map((task) => ({ task, places: placesOf(calibration, task) })).filter(({ places }) => places.length > 0);
  return {
    id: 'calibration',
    title: 'Calibration per view type',
    body: html`<p>Layers fitted on the validation rows, judged on the test rows. The ratio is the sum of predictions over the sum of labels; ECE is the mean distance of predicted and observed rates in bins of equal mass.</p>
${comparisonTable(calibration)}${gallery(byTask.map(({ task, places }, index) => ratioChart(`ratio-${index}`, task, places)))}${byTask.map(({ task, places }) => html`<h3>${task}</h3>\n${ratioTable(task, places)}`)}${truthPart(calibration)}<h3>Reliability curves</h3>
<p>Observed rate (up) by predicted rate (right), in bins of equal mass; on the thin line both are equal. Below each: before → one layer → per view type.</p>
${legend(LEGEND)}
${byTask.map(({ task, places }, index) => html`${index === 0 ? html`<h4>${task}</h4>\n` : NOTHING}${foldIf(index > 0, task, gallery(places.map((place, at) => reliability(`reliability-${index}-${at}`, place)), 'small'))}`)}<h3>How the method was chosen</h3>
${choiceTable(calibration)}`,
  };
};
