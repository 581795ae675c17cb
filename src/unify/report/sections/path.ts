/** The stages, one after the other: what each did, and how its gate judged it. */
import type { GateCheck, QualityCell, StageReport, UnifyReport } from '../../report.js';
import { figure, gallery } from '../charts/figure.js';
import { lookOf } from '../charts/palette.js';
import { stepChart } from '../charts/step-chart.js';
import { fold } from '../fold.js';
import { html, NOTHING, type Html } from '../html.js';
import { passedMark, statusMark } from '../marks.js';
import { flops, seconds, signed } from '../numbers.js';
import { qualityTable } from '../quality-table.js';
import { runTable } from '../run-table.js';
import type { SectionOf } from '../section.js';
import { trialTable } from '../trial-table.js';
import { listed } from '../words.js';

/** What the gate looked at, broken limits first. */
const checkList = (label: string, checks: readonly GateCheck[]): Html => {
  if (checks.length === 0) return NOTHING;
  const ordered = [...checks.filter(({ passed }) => !passed), ...checks.filter(({ passed }) => passed)];
  return html`<ul class="checks" aria-label="Gate of ${label}">${ordered.map(({ limit, passed, text, clocked }) => html`<li>${passedMark(passed)} <strong>${limit}</strong>: <span>${text}${clocked ? html` <span class="measured">(measured)</span>` : null}</span></li>\n`)}</ul>\n`;
};

const ablationsOf = ({ label, ablations, champion }: StageReport): Html => {
  if (ablations.length === 0) return NOTHING;
  return html`<h4>Each module alone</h4>
${ablations.map(({ name, quality, trainingFlops }) => html`<p><strong>${name}</strong> (training ${flops(trainingFlops)}), against ${champion ?? 'the champion'}:</p>\n${qualityTable(`${label}: ${name}`, quality, { champion: champion ?? 'champion', challenger: name })}`)}`;
};

/** Its first task's AUC per surface in a line. */
const inShort = (quality: readonly QualityCell[], champion: string | null, firstTask: string | undefined): Html => {
  const cells = quality.filter(({ surface, task, metric }) => metric === 'auc' && task === firstTask && surface !== 'overall');
  if (champion === null || cells.length === 0) return NOTHING;
  return html`<p>AUC of ${firstTask} against ${champion}: ${listed(cells.map(({ surface, difference, verdict }) => `${surface} ${signed(difference)}${verdict === null ? '' : ` (${verdict})`}`))}.</p>\n`;
};

const stageItem = (stage: StageReport, firstTask: string | undefined): Html => {
  const { label, status, summary, champion, runs, sweep, quality, checks, measured } = stage;
  const details = [
    quality.length === 0 ? NOTHING : fold(champion === null ? 'Quality' : `Quality against ${champion}`, qualityTable(`Quality of ${label}`, quality, { champion: champion ?? '', challenger: label })),
    runs.length === 0 ? NOTHING : fold(runs.length === 1 ? 'The trained model' : `The ${runs.length} trained models`, runTable(`Models of ${label}`, runs)),
    sweep.length === 0 ? NOTHING : fold(`Settings tried (${sweep.length})`, trialTable(`Settings tried at ${label}`, sweep)),
  ];
  return html`<li class="${status}"><h3>${label} ${statusMark(status)} <span class="measured">${seconds(measured.seconds)}, measured</span></h3>
<p>${summary}</p>
${inShort(quality, champion, firstTask)}${checkList(label, checks)}${ablationsOf(stage)}${details}</li>\n`;
};

const aucOf = (quality: readonly QualityCell[], task: string, surface: string): number | null =>
  quality.find((cell) => cell.metric === 'auc' && cell.task === task && cell.surface === surface)?.challenger ?? null;

/** How far each stage's model is above the separate ones. */
const pathChart = ({ stages, tasks, surfaces }: UnifyReport): Html => {
  const [first, ...later] = stages;
  const task = tasks[0];
  const steps = later.filter(({ quality }) => quality.length > 0);
  if (first === undefined || task === undefined || steps.length === 0) return NOTHING;
  const lines = surfaces.flatMap((name, index) => {
    const start = aucOf(first.quality, task, name);
    if (start === null) return [];
    const values = steps.map(({ quality }) => aucOf(quality, task, name)).map((value) => (value === null ? null : value - start));
    return [{ name, look: lookOf(index), values: [0, ...values] }];
  });
  return figure(
    {
      title: `AUC of ${task} along the path, less the separate model’s`,
      note: 'of each stage’s challenger, taken or not; right is better; without intervals, which the stages below have',
      legend: lines.map(({ name, look }) => ({ name, look, line: true })),
    },
    stepChart('path-auc', [first.label, ...steps.map(({ label, status }) => (status === 'passed' ? label : `✕ ${label}`))], lines, 0, (value) => signed(value, 3)),
  );
};

export const pathSection: SectionOf = (report) => {
  const { stages, tasks } = report;
  if (stages.length === 0) return null;
  return {
    id: 'path',
    title: 'The path, stage by stage',
    body: html`<p>Each stage’s challenger is held against the champion before it. It takes the champion’s place only if every limit of its gate is kept.</p>
${gallery([pathChart(report)])}<ol class="stages">
${stages.map((stage) => stageItem(stage, tasks[0]))}</ol>\n`,
  };
};
