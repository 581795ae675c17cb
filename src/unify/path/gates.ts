/** Limits that a stage must keep, and what was found. A check that fails says which limit, on which surface, and by how much. */
import type { Gate } from '../../config/unify-plan.js';
import type { Evaluation, SliceEvaluation } from '../../evaluate/evaluation.js';
import type { GateCheck, Latency, QualityCell } from '../report.js';

const number = (value: number, digits = 4): string => `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(digits)}`;
const signed = (value: number): string => `${value > 0 ? '+' : ''}${number(value)}`;
const interval = (found: { readonly low: number; readonly high: number }, text: (value: number) => string): string => `[${text(found.low)}, ${text(found.high)}]`;
const OVERALL = 'overall';

/** How much worse a cell's challenger is shown to be at least, from its interval; −Infinity without one. */
const shownLoss = ({ metric, interval: found }: QualityCell): number => {
  if (found === null) return -Infinity;
  return metric === 'auc' ? -found.high : found.low;
};

const describeCell = ({ surface, task, metric, champion, challenger, difference, interval: found }: QualityCell): string =>
  `${surface}, ${task}: ${metric.toUpperCase()} ${number(champion ?? NaN)} → ${number(challenger ?? NaN)}, ${signed(difference ?? NaN)}${found === null ? ' (too few users for an interval)' : ` ${interval(found, signed)}`}`;

/** Quality per surface and task: fails where the interval of the difference shows a loss beyond the margin. */
export const qualityChecks = (limit: Gate['quality'], cells: readonly QualityCell[]): readonly GateCheck[] => {
  if (limit === undefined) return [];
  const looked = cells.filter(({ surface, task, metric }) => surface !== OVERALL && metric === limit.metric && limit.tasks.includes(task));
  const check = (cell: QualityCell, passed: boolean): GateCheck => ({
    limit: 'quality',
    passed,
    surface: cell.surface,
    task: cell.task,
    text: `${describeCell(cell)}: ${passed ? 'no loss' : 'a loss'} of more than ${limit.margin} is shown`,
    clocked: false,
  });
  const failed = looked.filter((cell) => shownLoss(cell) > limit.margin);
  if (failed.length > 0) return failed.map((cell) => check(cell, false));
  const loss = ({ metric, difference }: QualityCell): number => (metric === 'auc' ? -(difference ?? Infinity) : (difference ?? -Infinity));
  const [first, ...rest] = looked;
  return first === undefined ? [] : [check(rest.reduce((worst, cell) => (loss(cell) > loss(worst) ? cell : worst), first), true)];
};

/** The first task must be shown better over all surfaces of the stage. */
export const gainChecks = (wanted: boolean, cells: readonly QualityCell[], firstTask: string): readonly GateCheck[] => {
  const cell = cells.find(({ surface, task, metric }) => surface === OVERALL && task === firstTask && metric === 'auc');
  if (!wanted || cell === undefined) return [];
  const passed = cell.verdict === 'better';
  return [{ limit: 'gain', passed, task: firstTask, text: `${describeCell(cell)}: ${passed ? 'a gain' : 'no gain'} is shown`, clocked: false }];
};

/** A surface whose own model orders its rows no better than chance has nothing to unify: its labels or features are wrong. */
export const chanceChecks = (wanted: boolean, { tasks }: Evaluation, firstTask: string): readonly GateCheck[] => {
  const surfaces = wanted ? (tasks.find(({ task }) => task === firstTask)?.surfaces ?? []) : [];
  return surfaces.map(({ name, metrics, intervals }): GateCheck => {
    const found = intervals?.auc ?? null;
    const passed = found === null || found.low > 0.5;
    const text = found === null ? `${name}, ${firstTask}: too few users or positives to tell AUC from chance` : `${name}, ${firstTask}: AUC ${number(metrics.auc ?? NaN)} ${interval(found, number)} is ${passed ? '' : 'not shown to be '}above chance`;
    return { limit: 'chance', passed, surface: name, task: firstTask, text, clocked: false };
  });
};

const ratioText = (value: number): string => number(value, 3);

/** The calibration ratio's interval must reach into `1 ± within`, per view type and task. */
export const calibrationChecks = (limit: Gate['calibration'], { tasks }: Evaluation): readonly GateCheck[] => {
  if (limit === undefined) return [];
  const { within } = limit;
  const cells = tasks.flatMap(({ task, viewTypes }) => viewTypes.map((slice) => ({ task, slice })));
  const isFar = ({ intervals }: SliceEvaluation): boolean => {
    const found = intervals?.calibrationRatio ?? null;
    return found !== null && (found.low > 1 + within || found.high < 1 - within);
  };
  const check = ({ task, slice }: (typeof cells)[number], passed: boolean): GateCheck => {
    const found = slice.intervals?.calibrationRatio ?? null;
    const shown = slice.metrics.calibrationRatio === null ? 'has no positives' : `predictions are ${ratioText(slice.metrics.calibrationRatio)}${found === null ? '' : ` ${interval(found, ratioText)}`} of the labels`;
    return { limit: 'calibration', passed, ...(slice.surface === null ? {} : { surface: slice.surface }), viewType: slice.name, task, text: `${slice.name}, ${task}: ${shown}; 1 ± ${within} ${passed ? 'is' : 'is not'} reached`, clocked: false };
  };
  const failed = cells.filter(({ slice }) => isFar(slice));
  if (failed.length > 0) return failed.map((cell) => check(cell, false));
  const distance = ({ slice }: (typeof cells)[number]): number => Math.abs((slice.metrics.calibrationRatio ?? 1) - 1);
  const [first, ...rest] = cells;
  return first === undefined ? [] : [check(rest.reduce((worst, cell) => (distance(cell) > distance(worst) ? cell : worst), first), true)];
};

/** `challenger` at most `limit` times `reference`; where the reference is not known (an outside model), nothing is checked. */
const ratioCheck = (limit: GateCheck['limit'], most: number | undefined, challenger: number, reference: number | undefined, what: string, more: Pick<GateCheck, 'surface' | 'clocked'>): readonly GateCheck[] => {
  if (most === undefined || reference === undefined) return [];
  const ratio = challenger / reference;
  const passed = ratio <= most;
  return [{ limit, passed, text: `${what} ${ratioText(ratio)} of the separate models', at most ${most}`, ...more }];
};

/** FLOPs of training against the sum of the separate models'. */
export const trainingCostChecks = (most: number | undefined, challenger: number, separate: number | undefined): readonly GateCheck[] =>
  ratioCheck('training cost', most, challenger, separate, 'training FLOPs are', { clocked: false });

/** Bytes of exports against the sum of the separate models'. */
export const sizeChecks = (most: number | undefined, challenger: number, separate: number | undefined): readonly GateCheck[] =>
  ratioCheck('size', most, challenger, separate, 'the exports have', { clocked: false }).map((check) => ({ ...check, text: check.text.replace("models',", "models' bytes,") }));

/** Median latency per surface against the separate model's. */
export const latencyChecks = (most: number | undefined, challenger: Readonly<Record<string, Latency>>, separate: Readonly<Record<string, Latency>> | undefined): readonly GateCheck[] =>
  Object.entries(challenger).flatMap(([surface, { p50 }]) =>
    ratioCheck('latency', most, p50, separate?.[surface]?.p50, `${surface}: the median request takes`, { surface, clocked: true }),
  );
