/** Reports of `onefold unify` as a plan makes them, for tests of what shows them. Metrics are computed from drawn predictions. */
import { comparePredictions } from '../../src/evaluate/compare.js';
import { evaluatePredictions } from '../../src/evaluate/evaluate.js';
import type { Predictions } from '../../src/evaluate/predictions.js';
import type { CalibrationReport, QualityCell, RunSummary, StageReport, UnifyReport } from '../../src/unify/report.js';
import { unifyPredictions, VIEW_TYPES } from '../fixtures/unify-predictions.js';
import { FEATURES, gateChecks, LATENCY, runSummary } from './unify-report-parts.js';

export interface ReportNames {
  readonly project?: string;
  readonly surfaces?: readonly string[];
  readonly tasks?: readonly string[];
}

const BOOTSTRAP = { replicates: 40 };
const SURFACES = ['home_feed', 'search', 'related_pins'];
const TASKS = ['click', 'save'];

const cellsOf = (a: Predictions, b: Predictions, names: readonly [string, string]): readonly QualityCell[] =>
  comparePredictions(a, b, { bootstrap: BOOTSTRAP, names }).tasks.flatMap(({ task, overall, surfaces }) =>
    [overall, ...surfaces].flatMap(({ name, metrics }) =>
      (['auc', 'ne'] as const).map((metric): QualityCell => {
        const { a: champion, b: challenger, difference, interval, verdict } = metrics[metric]!;
        return { surface: name, task, metric, champion, challenger, difference, interval, verdict };
      }),
    ),
  );

const stageOf = (more: Pick<StageReport, 'stage' | 'summary' | 'surfaces'> & Partial<StageReport>): StageReport => ({
  label: more.stage,
  status: 'passed',
  champion: null,
  runs: [],
  sweep: [],
  quality: [],
  checks: [],
  ablations: [],
  measured: { seconds: 42.4, latency: LATENCY },
  ...more,
});

const runOf = (name: string, surfaces: readonly string[], tasks: readonly string[], scale: number): RunSummary => runSummary(name, surfaces, tasks, scale);

const makeReport = ({ project = 'shop', surfaces = SURFACES, tasks = TASKS }: ReportNames): UnifyReport => {
  const biased = ({ bias }: (typeof VIEW_TYPES)[number]): number => bias;
  const predict = (noise: readonly number[], shift: (viewType: (typeof VIEW_TYPES)[number]) => number): Predictions => unifyPredictions({ surfaces, tasks, noise, shift });
  const separate = predict([1.6, 1.5, 2.1], (viewType) => biased(viewType) / 2);
  const raw = predict([1.0, 1.3, 0.9], biased);
  const global = predict([1.0, 1.3, 0.9], (viewType) => biased(viewType) - 0.06);
  const unified = predict([1.0, 1.3, 0.9], () => -0.07);
  const middle = predict([1.3, 1.4, 1.8], biased);
  const pair = surfaces.slice(0, 2);
  const firstTask = tasks[0]!;
  const onPair = (cells: readonly QualityCell[]): readonly QualityCell[] => cells.filter(({ surface }) => surface === 'overall' || pair.includes(surface));
  const evaluate = (predictions: Predictions) => evaluatePredictions(predictions, { bootstrap: BOOTSTRAP });
  const [before, after] = [evaluate(raw), evaluate(unified)];
  const start = evaluate(separate).tasks.flatMap(({ task, overall, surfaces: own }) =>
    [overall, ...own].flatMap(({ name, metrics }) => (['auc', 'ne'] as const).map((metric): QualityCell => ({ surface: name, task, metric, champion: null, challenger: metrics[metric], difference: null, interval: null, verdict: null }))),
  );
  const calibration: CalibrationReport = {
    tasks: tasks.map((task) => ({
      task,
      method: 'affine',
      globalMethod: 'beta',
      scores: [
        { method: 'identity', perViewType: 0.31872, global: 0.31872 },
        { method: 'affine', perViewType: 0.31202, global: 0.31734 },
        { method: 'beta', perViewType: 0.31214, global: 0.31711 },
      ],
    })),
    before,
    global: evaluate(global),
    after,
    comparison: comparePredictions(global, unified, { bootstrap: BOOTSTRAP, names: ['one layer', 'a layer per view type'] }),
    truth: tasks.flatMap((task) => VIEW_TYPES.map(({ name, bias }) => ({ task, viewType: name, rows: 1234, before: Math.exp(bias), global: Math.exp(bias - 0.06), after: 1 + bias / 60, interval: { low: 0.985 + bias / 60, high: 1.015 + bias / 60 } }))),
    truthLoss: tasks.map((task) => ({ task, before: 0.31872, global: 0.31711, after: 0.31202, difference: 0.00509, interval: { low: 0.00412, high: 0.00601 } })),
  };
  const trials = [
    { settings: {}, loss: 0.31871, budget: 1, chosen: false },
    { settings: { 'training.learningRate': 0.001, 'mlpDropout': 0.1 }, loss: 0.31544, budget: 1, chosen: true },
    { settings: { 'training.learningRate': 0.003, 'mlpDropout': 0.2 }, loss: 0.33012, budget: 0.5, chosen: false },
  ];
  const checks = gateChecks(surfaces, firstTask);
  const stages: readonly StageReport[] = [
    stageOf({ stage: 'separate', summary: 'A model per surface, each on its own rows: the present state.', surfaces, runs: surfaces.map((surface) => runOf(`separate ${surface}`, [surface], tasks, 0.5)), sweep: trials, quality: start, checks: checks.chance }),
    stageOf({ stage: 'profile', summary: 'home_feed and search first: their own models cost most alike per candidate.', surfaces }),
    stageOf({ stage: 'baseline', summary: 'One model on the merged features.', surfaces: pair, champion: 'separate', runs: [runOf('baseline', pair, tasks, 0.8)], sweep: trials, quality: onPair(cellsOf(separate, middle, ['separate', 'baseline'])), checks: checks.quality }),
    stageOf({
      stage: 'shared-learning',
      summary: 'A Transformer over the long user sequences and a mixture of experts, added together.',
      surfaces: pair,
      champion: 'baseline',
      runs: [runOf('shared-learning', pair, tasks, 1.2)],
      quality: onPair(cellsOf(middle, raw, ['baseline', 'shared-learning'])),
      checks: checks.quality,
      ablations: [{ name: 'Transformer alone', quality: onPair(cellsOf(middle, predict([1.2, 1.4, 1.8], biased), ['baseline', 'Transformer alone'])), trainingFlops: 2.1e13 }],
    }),
    stageOf({ stage: 'efficiency', summary: 'The projection after the Transformer and what else makes the model cheap.', surfaces: pair, champion: 'shared-learning', runs: [runOf('efficiency', pair, tasks, 0.9)], quality: onPair(cellsOf(raw, predict([1.0, 1.35, 0.9], biased), ['shared-learning', 'efficiency'])), checks: [...checks.quality, ...checks.costs] }),
    stageOf({ stage: 'surface-aware', summary: 'A tower for each surface.', surfaces: pair, champion: 'efficiency', runs: [runOf('surface-aware', pair, tasks, 1)], quality: onPair(cellsOf(predict([1.0, 1.35, 0.9], biased), raw, ['efficiency', 'surface-aware'])), checks: [...checks.quality, ...checks.costs] }),
    stageOf({ stage: 'calibration', summary: 'A calibration layer per view type and task, fitted on the validation rows.', surfaces: pair, champion: 'surface-aware', checks: checks.calibration }),
    stageOf({ stage: 'expand', label: `expand ${surfaces.slice(2).join('+')}`, summary: 'The next group joins.', surfaces, champion: 'calibration', runs: [runOf('expand', surfaces, tasks, 1.3)], quality: cellsOf(predict([1.0, 1.35, 2.1], biased), unified, ['calibration', 'expand']), checks: [...checks.quality, ...checks.calibration, ...checks.costs] }),
    stageOf({ stage: 'export', summary: 'One checkpoint per surface.', surfaces, champion: 'expand', checks: checks.costs }),
  ];
  const counts = Object.fromEntries(surfaces.map((surface, index) => [surface, { requests: 41_200 - 9000 * index, candidates: 512_300 - 110_000 * index, labelled: Object.fromEntries(tasks.map((task) => [task, 512_300 - 110_000 * index])), positives: Object.fromEntries(tasks.map((task, at) => [task, 61_034 - 50_000 * at])) }]));
  return {
    version: 1,
    project,
    surfaces,
    tasks,
    data: { key: '3f2a9c81d4e5f60718293a4b5c6d7e8f', counts: { train: counts, validation: counts, test: counts } },
    outcome: { status: 'complete', stage: null, failures: [] },
    order: {
      groups: [pair, ...(surfaces.length > 2 ? [surfaces.slice(2)] : [])],
      source: 'cost',
      reason: 'home_feed and search first: the own models of these surfaces cost most alike per candidate (home_feed 212 kFLOPs, search 187 kFLOPs), then related_pins (94 kFLOPs); a surface joins a group when the smaller cost is at least 0.7 of the larger.',
      profile: surfaces.map((surface, index) => ({ surface, candidatesPerRequest: 12.4 - 2 * index, tokensPerRequest: 41 - 11 * index, flopsPerCandidate: [212_000, 187_000, 94_000][index]!, trainingFlops: [1.9e13, 1.4e13, 6.1e12][index]!, parameters: 2_412_000 - 400_000 * index, tableBytes: 9_412_000 - 1_100_000 * index, measured: { trainingSeconds: 61.2 - 14 * index, latency: Object.values(LATENCY)[index]! } })),
    },
    stages,
    comparison: comparePredictions(separate, unified, { bootstrap: BOOTSTRAP, names: ['separate', 'unified'] }),
    calibration,
    costs: [
      { name: 'separate', models: surfaces.length, parameters: 6_036_000, tableBytes: 24_936_000, exportBytes: 26_210_000, trainingFlops: 3.91e13, scoringFlops: 171_000, expandedScoringFlops: 803_000, measured: { trainingSeconds: 141.6, latency: LATENCY, scoringMemory: 181_000_000 } },
      { name: 'unified', models: 1, parameters: 3_311_000, tableBytes: 13_120_000, exportBytes: 17_034_000, trainingFlops: 2.87e13, scoringFlops: 193_000, expandedScoringFlops: 1_204_000, measured: { trainingSeconds: 117.9, latency: Object.fromEntries(Object.entries(LATENCY).map(([surface, { p50, p99 }]) => [surface, { p50: 1.3 * p50, p99: 1.2 * p99 }])), scoringMemory: 142_000_000 } },
    ],
    coverage: FEATURES.map(({ feature, side, kind, shares }) => ({ feature, side, kind, present: Object.fromEntries(surfaces.flatMap((surface, index) => (shares[index] === null ? [] : [[surface, shares[index]!]]))) })),
    importance: surfaces.flatMap((surface, index) => tasks.flatMap((task, at) => FEATURES.filter(({ shares }) => shares[index] !== null).map(({ feature, side, weight }) => ({ surface, feature, side, task, aucLoss: weight * (1 - 0.2 * index) * (1 - 0.3 * at), logLossRise: weight / 2 })))),
    leaveOneOut: surfaces.map((without, index) => ({ without, quality: cellsOf(unified, predict([1.0 + 0.1 * index, 1.3, 1.2], () => -0.07), ['all surfaces', `without ${without}`]).filter(({ surface }) => surface !== without) })),
    exports: surfaces.map((surface, index) => ({ surface, directory: `unify/exports/${surface}`, bytes: 6_412_000 - 900_000 * index, tables: 'fp16', dense: 'fp32', maxDifference: 0.0000031 * (index + 1), aucLoss: 0.0000012 * index, features: 31 - index })),
  };
};

const made = new Map<string, UnifyReport>();

/** A plan that went through: three surfaces, two tasks and seven view types unless told otherwise. Made once: nothing may change it. */
export const completeReport = (names: ReportNames = {}): UnifyReport => {
  const key = JSON.stringify(names);
  const report = made.get(key) ?? makeReport(names);
  made.set(key, report);
  return report;
};

/** A plan that a gate stopped: the towers made `search` worse. */
export const stoppedReport = (): UnifyReport => {
  const whole = completeReport();
  const at = whole.stages.findIndex(({ stage }) => stage === 'surface-aware');
  const text = 'search, click: AUC 0.7711 → 0.5012, −0.2699 [−0.2755, −0.2641]: a loss of more than 0.002 is shown';
  const failed: StageReport = {
    ...whole.stages[at]!,
    status: 'failed',
    checks: [{ limit: 'quality', passed: false, surface: 'search', task: 'click', text, clocked: false }, ...whole.stages[at]!.checks.filter(({ limit }) => limit !== 'quality')],
  };
  return {
    ...whole,
    outcome: { status: 'stopped', stage: 'surface-aware', failures: [text] },
    stages: [...whole.stages.slice(0, at), failed],
    calibration: null,
    costs: whole.costs.map((column) => (column.name === 'unified' ? { ...column, models: 2 } : column)),
    importance: [],
    leaveOneOut: [],
    exports: [],
  };
};

/** A plan whose first stage failed: there is no order and no comparison. */
export const stoppedAtOnceReport = (): UnifyReport => {
  const { costs, order, stages, ...whole } = stoppedReport();
  const text = 'search, click: AUC 0.5011 [0.4921, 0.5102] is not shown to be above chance';
  return {
    ...whole,
    outcome: { status: 'stopped', stage: 'separate', failures: [text] },
    order: { ...order, groups: [], reason: '', profile: [] },
    stages: [{ ...stages[0]!, status: 'failed', checks: [{ limit: 'chance', passed: false, surface: 'search', task: 'click', text, clocked: false }] }],
    comparison: null,
    costs: costs.slice(0, 1),
  };
};

/** Two surfaces, one task, an outside model as the baseline, and everything left out that can be. */
export const minimalReport = (): UnifyReport => {
  const whole = completeReport({ project: 'news', surfaces: ['front_page', 'article_page'], tasks: ['click'] });
  return {
    ...whole,
    order: { groups: [whole.surfaces], source: 'config', reason: 'front_page and article_page: the order that the config declares.', profile: whole.order.profile.map((one) => ({ ...one, trainingFlops: 0, measured: undefined })) },
    stages: whole.stages.filter(({ stage }) => stage !== 'expand').map((stage) => ({ ...stage, sweep: [], ablations: [], runs: stage.stage === 'separate' ? [] : stage.runs })),
    calibration: { ...whole.calibration!, truth: [], truthLoss: [] },
    costs: whole.costs.slice(1),
    importance: [],
    leaveOneOut: [],
  };
};
