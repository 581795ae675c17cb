/** The first screen: the conclusion, what speaks against it, and the figures behind it. */
import type { SliceComparison } from '../../../evaluate/comparison.js';
import type { CostColumn, UnifyReport } from '../../report.js';
import { checkCounts, conclude, judgedSurfaces, modelCounts } from '../conclusion.js';
import { html, NOTHING, type Html, type Part } from '../html.js';
import { MEASURED, verdictMark } from '../marks.js';
import { between, bytes, fixed, flops, milliseconds, ratioOf, signed, times } from '../numbers.js';
import { counted } from '../words.js';

interface Figure {
  readonly name: Part;
  readonly big: Part;
  readonly below: Part;
}

const figures = (list: readonly Figure[]): Html =>
  list.length === 0 ? NOTHING : html`<dl class="figures">${list.map(({ name, big, below }) => html`<div><dt>${name}</dt><dd class="big">${big}</dd><dd>${below}</dd></div>\n`)}</dl>\n`;

const surfaceFigure = (task: string, { name, metrics }: SliceComparison): Figure => {
  const { auc, ne } = metrics;
  return {
    name: html`${name}: AUC of ${task}`,
    big: html`${signed(auc?.difference)} ${verdictMark(auc?.verdict)}`,
    below: html`${between(auc?.interval, signed)}<br>AUC ${fixed(auc?.a)} → ${fixed(auc?.b)}<br>NE ${fixed(ne?.a)} → ${fixed(ne?.b)}`,
  };
};

const costFigures = (separate: CostColumn, unified: CostColumn): readonly Figure[] => {
  const figure = (name: string, read: (column: CostColumn) => number | null, text: (value: number | null) => string): Figure => ({
    name,
    big: times(ratioOf(read(unified), read(separate))),
    below: `${text(read(separate))} → ${text(read(unified))}`,
  });
  const slowest = Object.keys(unified.measured.latency)
    .flatMap((surface) => {
      const [before, after] = [separate.measured.latency[surface]?.p50, unified.measured.latency[surface]?.p50];
      return before === undefined || after === undefined ? [] : [{ surface, before, after, ratio: after / before }];
    })
    .toSorted((a, b) => b.ratio - a.ratio)[0];
  return [
    figure('Training cost, FLOPs', ({ trainingFlops }) => trainingFlops, flops),
    figure('Size of all exports', ({ exportBytes }) => exportBytes, bytes),
    figure('Scoring cost a candidate, FLOPs', ({ scoringFlops }) => scoringFlops, flops),
    ...(slowest === undefined
      ? []
      : [{ name: `Median latency, ${slowest.surface} (worst)`, big: times(slowest.ratio), below: html`${milliseconds(slowest.before)} → ${milliseconds(slowest.after)} a request<br>${MEASURED}` }]),
  ];
};

/** The view type whose calibration ratio was farthest from 1, and where the farthest is now. */
const calibrationFigure = ({ calibration, tasks }: UnifyReport): readonly Figure[] => {
  if (calibration === null) return [];
  const farthest = (evaluation: typeof calibration.before): { readonly name: string; readonly ratio: number } | undefined =>
    (evaluation.tasks.find(({ task }) => task === tasks[0])?.viewTypes ?? [])
      .flatMap(({ name, metrics: { calibrationRatio: ratio } }) => (ratio === null ? [] : [{ name, ratio }]))
      .toSorted((a, b) => Math.abs(b.ratio - 1) - Math.abs(a.ratio - 1))[0];
  const [before, after] = [farthest(calibration.before), farthest(calibration.after)];
  if (before === undefined || after === undefined) return [];
  return [{ name: `Calibration farthest from 1, ${tasks[0] ?? ''}`, big: `${fixed(before.ratio, 2)} → ${fixed(after.ratio, 2)}`, below: `${before.name} before, ${after.name} after calibration per view type` }];
};

const gateFigure = (report: UnifyReport): readonly Figure[] => {
  const { passed, failed } = checkCounts(report);
  return passed + failed === 0 ? [] : [{ name: 'Limits kept', big: `${passed} of ${passed + failed}`, below: `looked at by the gates of ${counted(report.stages.length, 'stage')}` }];
};

const failureCallout = (report: UnifyReport): Html => {
  const { failures } = conclude(report);
  const { outcome } = report;
  return html`${failures.map(({ stage, overruled, checks }) => {
    const [tone, what] = overruled
      ? ['mixed', 'failed its gate and was taken all the same']
      : outcome.status === 'stopped' && outcome.stage === stage
        ? ['bad', 'failed its gate, and stopped the plan']
        : ['mixed', 'failed its gate and was left out'];
    return html`<div class="callout ${tone}"><p><strong>${stage}</strong> ${what}:</p><ul>${checks.map(({ text }) => html`<li>✕ ${text}</li>`)}</ul></div>\n`;
  })}`;
};

/** Title, conclusion and key figures. */
export const headline = (report: UnifyReport): Html => {
  const { title, lead } = conclude(report);
  const { before, after } = modelCounts(report);
  const [separate, unified] = ['separate', 'unified'].map((wanted) => report.costs.find(({ name }) => name === wanted));
  const task = report.tasks[0] ?? '';
  const counts: readonly Figure[] = after === null ? [] : [{ name: 'Models', big: `${before} → ${after}`, below: `for ${counted(report.surfaces.length, 'surface')} and ${counted(report.tasks.length, 'task')}` }];
  return html`<p class="kicker">${report.project}: from separate models to one</p>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${failureCallout(report)}${figures(judgedSurfaces(report).map((surface) => surfaceFigure(task, surface)))}${figures([
    ...counts,
    ...(separate === undefined || unified === undefined ? [] : costFigures(separate, unified)),
    ...calibrationFigure(report),
    ...gateFigure(report),
  ])}`;
};
