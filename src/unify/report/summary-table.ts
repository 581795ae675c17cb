/** The end of `onefold unify` on a terminal: the report's essentials in 100 columns. */
import pc from 'picocolors';
import type { Comparison, SliceComparison, Verdict } from '../../evaluate/comparison.js';
import { plainTable, slicesInOrder } from '../../evaluate/table-cells.js';
import type { CalibrationReport, CostColumn, ExportSummary, UnifyReport } from '../report.js';
import { checkCounts, conclude, type Conclusion } from './conclusion.js';
import type { Tone } from './marks.js';
import { between, bytes, count, fixed, flops, milliseconds, percent, ratioOf, seconds, signed, times, UNKNOWN } from './numbers.js';
import { counted } from './words.js';

const WIDTH = 100;
const LONGEST_SURFACE = 17;
const LONGEST_TASK = 10;

const short = (name: string, longest: number): string => (name.length > longest ? `${name.slice(0, longest - 1)}…` : name);

/** Lines of at most `WIDTH` columns, the later ones indented. */
const wrapped = (text: string, indent = ''): string => {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : indent + word);
  }
  return lines.join('\n');
};

const PAINT: Readonly<Record<Tone, (text: string) => string>> = { good: pc.green, bad: pc.red, mixed: pc.yellow, plain: (text) => text };

const bold = (text: string): string => text.split('\n').map(pc.bold).join('\n');

const VERDICTS: Readonly<Record<Verdict, { readonly sign: string; readonly paint: (text: string) => string }>> = {
  better: { sign: '▲', paint: pc.green },
  worse: { sign: '▼', paint: pc.red },
  'no difference': { sign: '≈', paint: pc.dim },
};

const verdictText = (verdict: Verdict | null | undefined): string => (verdict === null || verdict === undefined ? UNKNOWN : VERDICTS[verdict].paint(verdict));

const change = (before: string, after: string): string => `${before} → ${after}`;

const qualityRow = (slice: SliceComparison, task: string): readonly string[] => {
  const { auc, ne } = slice.metrics;
  const verdict = ne?.verdict ?? null;
  return [
    short(slice.name, LONGEST_SURFACE),
    short(task, LONGEST_TASK),
    change(fixed(auc?.a), fixed(auc?.b)),
    between(auc?.interval, signed),
    verdictText(auc?.verdict),
    `${change(fixed(ne?.a), fixed(ne?.b))}${verdict === null ? '' : ` ${VERDICTS[verdict].paint(VERDICTS[verdict].sign)}`}`,
  ];
};

const qualityPart = ({ tasks, bootstrap }: Comparison): string => {
  const found = plainTable(
    ['', 'task', 'AUC', `${percent(bootstrap.level).replace(' ', '')} interval`, 'unified is', 'NE'],
    tasks.flatMap((task) => slicesInOrder(task, false).map((slice) => qualityRow(slice, task.task))),
    [1, 4],
  );
  return `${found}\n${pc.dim('Separate → unified on the test rows. NE: lower is better; ▲ better, ▼ worse, ≈ no difference shown.')}`;
};

/** Smallest and largest calibration ratio of a task's view types. */
const rangeOf = (report: CalibrationReport, version: 'before' | 'after', task: string): string => {
  const found = report[version].tasks.find((one) => one.task === task)?.viewTypes.flatMap(({ metrics: { calibrationRatio: ratio } }) => (ratio === null ? [] : [ratio])) ?? [];
  return found.length === 0 ? UNKNOWN : `${fixed(Math.min(...found), 3)} … ${fixed(Math.max(...found), 3)}`;
};

const calibrationPart = (report: CalibrationReport): string =>
  plainTable(
    ['calibration per view type', 'ratios before', 'ratios after', 'log loss against one layer', 'it is'],
    report.tasks.map(({ task, method }) => {
      const found = report.comparison.tasks.find((one) => one.task === task)?.overall.metrics.logLoss;
      return [short(`${task}, ${method}`, 25), rangeOf(report, 'before', task), rangeOf(report, 'after', task), signed(found?.difference, 5), verdictText(found?.verdict)];
    }),
    [4],
  );

interface Cost {
  readonly name: string;
  readonly read: (column: CostColumn) => number | null | undefined;
  readonly text: (value: number | null | undefined) => string;
}

const COSTS: readonly Cost[] = [
  { name: 'parameters', read: ({ parameters }) => parameters, text: count },
  { name: 'training', read: ({ trainingFlops }) => trainingFlops, text: flops },
  { name: 'scoring a candidate', read: ({ scoringFlops }) => scoringFlops, text: flops },
  { name: 'all exports', read: ({ exportBytes }) => exportBytes, text: bytes },
  { name: 'training time, measured', read: ({ measured }) => measured.trainingSeconds, text: seconds },
];

const costPart = (costs: readonly CostColumn[], surfaces: readonly string[]): string => {
  const [first, second] = costs;
  const latencies = surfaces.map((surface): Cost => ({ name: `median latency, ${short(surface, 24)}, measured`, read: ({ measured }) => measured.latency[surface]?.p50, text: milliseconds }));
  const shown = [...COSTS, ...latencies].filter(({ read }) => costs.some((column) => typeof read(column) === 'number'));
  return plainTable(
    ['costs', ...costs.map(({ name, models }) => `${name}, ${counted(models, 'model')}`), ...(second === undefined ? [] : ['ratio'])],
    shown.map(({ name, read, text }) => [name, ...costs.map((column) => text(read(column))), ...(second === undefined ? [] : [times(ratioOf(read(second), read(first!)))])]),
  );
};

const exportPart = (exports: readonly ExportSummary[]): string =>
  plainTable(
    ['exports', 'folder', 'size', 'tables', 'dense', 'largest difference'],
    exports.map((one) => [short(one.surface, LONGEST_SURFACE), short(one.directory, 34), bytes(one.bytes), one.tables, one.dense, one.maxDifference.toExponential(1)]),
    [1],
  );

const gatePart = (report: UnifyReport, { failures }: Conclusion): string => {
  const { passed, failed } = checkCounts(report);
  const lines = failures.flatMap(({ stage, overruled, checks }) => checks.map(({ text }) => pc.red(wrapped(`  ✕ ${stage}${overruled ? ' (overruled)' : ''}: ${text}`, '    '))));
  return [`${pc.dim('gates')}  ${counted(report.stages.length, 'stage')}, ${counted(passed, 'limit')} kept, ${failed} broken`, ...lines].join('\n');
};

/** A report's essentials as text for a terminal of 100 columns. */
export const summaryTable = (report: UnifyReport): string => {
  const conclusion = conclude(report);
  const { comparison, calibration, costs, exports, surfaces, stages } = report;
  const head = [PAINT[conclusion.tone](bold(wrapped(conclusion.title))), pc.dim(wrapped(conclusion.lead))].join('\n');
  return [
    head,
    ...(comparison === null ? [] : [qualityPart(comparison)]),
    ...(calibration === null ? [] : [calibrationPart(calibration)]),
    ...(costs.length === 0 ? [] : [costPart(costs, surfaces)]),
    ...(stages.length === 0 ? [] : [gatePart(report, conclusion)]),
    ...(exports.length === 0 ? [] : [exportPart(exports)]),
  ].join('\n\n');
};
