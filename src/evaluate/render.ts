import pc from 'picocolors';
import type { Comparison, SliceComparison, TaskComparison, Verdict } from './comparison.js';
import type { Evaluation, SliceEvaluation, TaskEvaluation } from './evaluation.js';
import type { MetricName } from './metrics.js';
import { compactCount, heading, intervalText, metricText, plainTable, signedText, sliceText, slicesInOrder } from './table-cells.js';

const VALUES = ['auc', 'gauc', 'logLoss', 'ne', 'calibrationRatio', 'ece', 'mrr', 'ndcg@10'] as const;
const WITH_INTERVAL = ['auc', 'gauc', 'ne', 'calibrationRatio'] as const;
const TO_TRUTH = ['logLoss', 'floor', 'excess', 'truthCalibration'] as const;
const COMPARED = ['auc', 'gauc', 'ne', 'calibrationError'] as const;

const metricColumns = (names: readonly MetricName[], { metrics }: SliceEvaluation): string[] =>
  names.map((name) => metricText(name, metrics[name]));

const percent = (level: number): string => `${Number((100 * level).toFixed(1))}%`;

const section = (title: string, table: string): string => `${pc.bold(title)}\n${table}`;

export interface RenderOptions {
  /** Rows for view types, below their surface. Default true. */
  readonly viewTypes?: boolean;
}

const renderTask = (task: TaskEvaluation, { bootstrap, method }: Evaluation, options: RenderOptions): readonly string[] => {
  const slices = slicesInOrder(task, options.viewTypes);
  const sections = [
    section(
      task.task,
      plainTable(
        ['', 'rows', 'rate', ...VALUES.map(heading)],
        slices.map((slice) => [
          sliceText(slice),
          compactCount(slice.rows),
          `${(100 * slice.baseRate).toFixed(2)}%`,
          ...metricColumns(VALUES, slice),
        ]),
      ),
    ),
  ];
  if (bootstrap !== null) {
    const interval = (slice: SliceEvaluation, name: MetricName): string =>
      intervalText(slice.intervals?.[name], (value) => metricText(name, value));
    sections.push(
      section(
        `${task.task}: ${percent(bootstrap.level)} intervals`,
        plainTable(['', ...WITH_INTERVAL.map(heading)], slices.map((slice) => [sliceText(slice), ...WITH_INTERVAL.map((name) => interval(slice, name))])),
      ),
    );
  }
  if (task.overall.metrics.floor !== null) {
    sections.push(
      section(
        `${task.task}: distance from the true probabilities`,
        plainTable(['', ...TO_TRUTH.map(heading)], slices.map((slice) => [sliceText(slice), ...metricColumns(TO_TRUTH, slice)])),
      ),
    );
  }
  if (method === 'streaming') sections.push(pc.dim(`AUC of ${task.task} is within ${task.overall.aucErrorBound.toExponential(1)} of the exact value.`));
  return sections;
};

/** An evaluation as tables for a terminal of 100 columns. */
export const renderEvaluation = (evaluation: Evaluation, options: RenderOptions = {}): string => {
  const { bootstrap, tasks } = evaluation;
  const notes =
    bootstrap === null
      ? []
      : [pc.dim(`Intervals: ${bootstrap.replicates} bootstrap replicates of ${compactCount(bootstrap.users)} users, seed ${bootstrap.seed}.`)];
  return [...tasks.flatMap((task) => renderTask(task, evaluation, options)), ...notes].join('\n\n');
};

const verdictText = (verdict: Verdict | null): string => {
  switch (verdict) {
    case 'better':
      return pc.green('better');
    case 'worse':
      return pc.red('worse');
    case 'no difference':
      return pc.dim('no difference');
    case null:
      return pc.dim('–');
  }
};

/** Calibration shows the two ratios, and the difference of their distances from 1. */
const comparisonRows = (slice: SliceComparison): readonly (readonly string[])[] =>
  COMPARED.flatMap((name) => {
    const found = slice.metrics[name];
    if (found === undefined) return [];
    const shown = name === 'calibrationError' ? 'calibrationRatio' : name;
    return [
      [
        heading(shown),
        metricText(shown, slice.a[shown]),
        metricText(shown, slice.b[shown]),
        signedText(name, found.difference),
        intervalText(found.interval, (value) => signedText(name, value)),
        verdictText(found.verdict),
      ],
    ];
  });

const renderTaskComparison = (task: TaskComparison, { a, b, bootstrap }: Comparison, options: RenderOptions): string =>
  section(
    task.task,
    plainTable(
      ['', 'rows', 'metric', a, b, 'difference', `${percent(bootstrap.level)} interval`, `${b} is`],
      slicesInOrder(task, options.viewTypes).flatMap((slice) =>
        comparisonRows(slice).map((row, line) => (line === 0 ? [sliceText(slice), compactCount(slice.rows), ...row] : ['', '', ...row])),
      ),
      [2, 7],
    ),
  );

/** A comparison as tables for a terminal of 100 columns. */
export const renderComparison = (comparison: Comparison, options: RenderOptions = {}): string => {
  const { a, b, bootstrap, tasks } = comparison;
  const note = [
    `Difference: ${b} − ${a}; for calibration, of the distance from 1.`,
    `Intervals: ${bootstrap.replicates} paired bootstrap replicates of ${compactCount(bootstrap.users)} users, seed ${bootstrap.seed}.`,
    '"No difference": the interval holds 0.',
  ].join('\n');
  return [...tasks.map((task) => renderTaskComparison(task, comparison, options)), pc.dim(note)].join('\n\n');
};
