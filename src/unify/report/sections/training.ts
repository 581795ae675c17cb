/** Validation log loss by step, a chart per run and task. */
import type { RunSummary, UnifyReport } from '../../report.js';
import { SMALL_WIDTH } from '../charts/draw.js';
import { figure, gallery } from '../charts/figure.js';
import { lineChart } from '../charts/line-chart.js';
import { BLUE, ORANGE } from '../charts/palette.js';
import { foldIf } from '../fold.js';
import { html, NOTHING, type Html } from '../html.js';
import { count, fixed } from '../numbers.js';
import type { SectionOf } from '../section.js';
import { listed } from '../words.js';

interface Curve {
  readonly run: RunSummary;
  readonly points: readonly (readonly [number, number])[];
}

const curveOf = (run: RunSummary, task: string): Curve => ({
  run,
  points: run.curves.flatMap(({ step, scalars }) => {
    const loss = scalars[`${task}/overall/logLoss`];
    return loss === undefined || !Number.isFinite(loss) ? [] : [[step, loss] as const];
  }),
});

const LOSS = { color: BLUE, shape: 'circle' } as const;
const KEPT = { color: ORANGE, shape: 'diamond' } as const;

const curveChart = (id: string, { run, points }: Curve): Html => {
  const kept = points.find(([step]) => step === run.keptStep);
  return figure(
    { title: run.name, note: listed(run.surfaces), foot: kept === undefined ? undefined : `kept step ${kept[0]}: ${fixed(kept[1])}` },
    lineChart(id, {
      size: { width: SMALL_WIDTH, height: 190 },
      series: [{ look: LOSS, points }, ...(kept === undefined ? [] : [{ look: KEPT, points: [kept], dotsOnly: true }])],
      x: count,
      y: (value) => fixed(value, 3),
    }),
    'small',
  );
};

export const trainingSection: SectionOf = ({ stages, tasks }: UnifyReport) => {
  const runs = stages.flatMap((stage) => stage.runs);
  const byTask = tasks.map((task) => ({ task, curves: runs.map((run) => curveOf(run, task)).filter(({ points }) => points.length > 0) })).filter(({ curves }) => curves.length > 0);
  if (byTask.length === 0) return null;
  const charts = byTask.map(({ task, curves }, index) => {
    const all = gallery(curves.map((curve, place) => curveChart(`training-${index}-${place}`, curve)), 'small');
    return html`${index === 0 ? html`<h3>${task}</h3>\n` : NOTHING}${foldIf(index > 0, task, all)}`;
  });
  return {
    id: 'training',
    title: 'Training curves',
    body: html`<p>Log loss on the validation rows (up) by training step (right), with a diamond at the step that was kept. Runs of different surfaces have different rows: compare the shape, not the height.</p>
${charts}`,
  };
};
