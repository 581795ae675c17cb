/** The stages of a plan: each trains or measures, and says what wants to take the champion's place. */
import type { Model } from '../../config/project.js';
import { MODEL_STAGES, type ModelStage, type StageName } from '../../config/unify-plan.js';
import { runReport } from '../cost-report.js';
import { listed } from '../report/words.js';
import type { QualityCell, StageReport, SurfaceProfile } from '../report.js';
import { withSettings } from '../sweep-settings.js';
import type { PathContext } from './context.js';
import { exportFinal, type FinalExports } from './final-exports.js';
import { chanceChecks } from './gates.js';
import { groupSurfaces, type SurfaceGroups } from './group-surfaces.js';
import { calibrateSystem, compareSystems, evaluateSystem, judge, type Judgement } from './judge.js';
import { trainPlanRun, type PlanRun } from './plan-run.js';
import { qualityCells } from './quality.js';
import { servingProfile } from './serving-profile.js';
import { sweep, type Settings, type SweptRun } from './sweep.js';
import { runOf, withRun, type System } from './system.js';

/** Where a plan stands between two stages. */
export interface PathState {
  /** The separate models, or the outside one: what everything is held against. */
  readonly separate: System;
  readonly champion: System;
  /** The last model that passed, and the settings that sweeps found. */
  readonly model: Model | undefined;
  readonly settings: Settings;
  readonly profile: readonly SurfaceProfile[];
  readonly groups: SurfaceGroups;
  readonly exports: FinalExports | undefined;
}

/** What a stage did, before its gate is looked at. */
export interface StageOutcome {
  readonly report: Omit<StageReport, 'status' | 'measured'> & { readonly latency: StageReport['measured']['latency'] };
  /** The state with the challenger in the champion's place. */
  readonly accepted: PathState;
}

/** One entry of a plan: `expand` has one per surface group after the first. */
export interface PlannedStage {
  readonly stage: StageName;
  readonly label: string;
  /** Whether there is a champion to keep when its gate fails. */
  readonly run: (context: PathContext, state: PathState, options: { readonly ablate: boolean }) => Promise<StageOutcome>;
}

type Judged = Pick<StageReport, 'quality' | 'checks'> & { readonly latency: Judgement['latency'] };

const NOTHING: Judged = { quality: [], checks: [], latency: {} };

/** The start of a plan: the surfaces as they are today. */
const NO_SYSTEM: System = { name: 'separate', runs: [], outside: [], calibration: undefined };
export const PATH_START: PathState = {
  separate: NO_SYSTEM,
  champion: NO_SYSTEM,
  model: undefined,
  settings: {},
  profile: [],
  groups: { groups: [], source: 'cost', reason: '' },
  exports: undefined,
};

/** Separate and baseline try the same settings; later stages draw their own. */
const START_SWEEP = 'start';

const surfaceNames = ({ project }: PathContext): readonly string[] => project.surfaces.map(({ name }) => name);

const separateStage = async (context: PathContext, state: PathState): Promise<StageOutcome> => {
  const { project, plan } = context;
  const surfaces = surfaceNames(context);
  const hasOutside = Object.keys(project.data.outside).length > 0;
  const swept: SweptRun[] = [];
  if (!hasOutside) for (const surface of surfaces) swept.push(await sweep(context, START_SWEEP, `separate ${surface}`, plan.separate[surface]!, [surface]));
  const separate: System = { ...NO_SYSTEM, runs: swept.map(({ run }) => run), outside: hasOutside ? surfaces : [] };
  const evaluation = await evaluateSystem(context, separate, surfaces);
  const quality = evaluation.tasks.flatMap(({ task, overall, surfaces: own }) =>
    [overall, ...own].flatMap(({ name, metrics }) =>
      (['auc', 'ne'] as const).map((metric): QualityCell => ({ surface: name, task, metric, champion: null, challenger: metrics[metric], difference: null, interval: null, verdict: null })),
    ),
  );
  return {
    report: {
      stage: 'separate',
      label: 'separate',
      summary: hasOutside ? "An outside model's predictions, from the logs, stand for the surfaces' own models." : `A model per surface, each on its own rows: the present state of ${listed(surfaces)}.`,
      surfaces,
      champion: null,
      runs: swept.map(({ run }) => run.summary),
      sweep: swept.flatMap(({ trials }) => trials),
      ablations: [],
      quality,
      checks: chanceChecks(plan.gates.separate.quality !== undefined, evaluation, project.tasks[0]!.name),
      latency: {},
    },
    accepted: { ...state, separate, champion: separate },
  };
};

const profileOf = async (context: PathContext, surface: string, run: PlanRun | undefined): Promise<SurfaceProfile> => {
  const { project, plan, manifest, traffic } = context;
  const costs = run?.costs ?? runReport(project, plan.separate[surface]!, manifest, traffic.train, { name: surface, surfaces: [surface] });
  const { candidatesPerRequest, tokensPerRequest, forward } = costs.surfaces[0]!;
  const serving = run === undefined ? undefined : await servingProfile(context, run);
  return {
    surface,
    candidatesPerRequest,
    tokensPerRequest,
    flopsPerCandidate: forward.perCandidateAllIn,
    trainingFlops: run?.summary.trainingFlops ?? 0,
    parameters: costs.parameters,
    tableBytes: costs.tables.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(run === undefined || serving === undefined ? {} : { measured: { trainingSeconds: run.summary.measured.trainingSeconds, latency: serving.latency[surface]! } }),
  };
};

const profileStage = async (context: PathContext, state: PathState): Promise<StageOutcome> => {
  const { plan } = context;
  const profile: SurfaceProfile[] = [];
  for (const surface of surfaceNames(context)) profile.push(await profileOf(context, surface, runOf(state.separate, surface)));
  const groups = groupSurfaces(Object.fromEntries(profile.map(({ surface, flopsPerCandidate }) => [surface, flopsPerCandidate])), plan.similarity, plan.order);
  context.onLine(`order: ${groups.reason}`);
  const latency = Object.fromEntries(profile.flatMap(({ surface, measured }) => (measured === undefined ? [] : [[surface, measured.latency]])));
  return {
    report: { stage: 'profile', label: 'profile', summary: groups.reason, surfaces: surfaceNames(context), champion: null, runs: [], sweep: [], ablations: [], ...NOTHING, latency },
    accepted: { ...state, profile, groups },
  };
};

/** What a stage did, by what its model has. */
const summaryOf = (stage: ModelStage, { transformer, experts, projection, lateFusion }: Model): string => {
  const added = [...(transformer === undefined ? [] : ['a Transformer over the long user sequences']), ...(experts === undefined ? [] : ['a mixture of experts'])];
  switch (stage) {
    case 'baseline':
      return 'One model on the merged features, with the strongest modules that the separate models have';
    case 'shared-learning':
      return added.length === 0 ? 'What pays off together' : `What pays off together: ${added.join(' and ')}`;
    case 'efficiency':
      return projection === undefined ? 'What makes the model cheap; quality must hold' : 'The projection after the Transformer and what else makes the model cheap; quality must hold';
    case 'surface-aware':
      return lateFusion ? 'A tower for each surface, and the features that one surface alone has in its tower' : 'A tower for each surface';
  }
};

/** The modules that `shared-learning` adds, each alone. */
const ablationsOf = (baseline: Model, model: Model): readonly { readonly name: string; readonly model: Model }[] => [
  ...(model.transformer === undefined || model.experts === undefined ? [] : [{ name: 'Transformer alone', model: { ...model, experts: baseline.experts } }, { name: 'experts alone', model: { ...model, transformer: baseline.transformer, projection: baseline.projection } }]),
];

const ablate = async (context: PathContext, state: PathState, model: Model, surfaces: readonly string[]): Promise<StageReport['ablations']> => {
  const found: { name: string; quality: readonly QualityCell[]; trainingFlops: number }[] = [];
  for (const variant of ablationsOf(withSettings(context.plan.models.baseline, state.settings), model)) {
    const run = await trainPlanRun(context, { name: variant.name, model: variant.model, surfaces });
    const comparison = await compareSystems(context, state.champion, withRun(state.champion, variant.name, run), surfaces);
    found.push({ name: variant.name, quality: qualityCells(comparison), trainingFlops: run.summary.trainingFlops });
  }
  return found;
};

const modelStage =
  (stage: ModelStage): PlannedStage['run'] =>
  async (context, state, options) => {
    const { plan } = context;
    const surfaces = state.groups.groups[0]!;
    const declared = withSettings(plan.models[stage], state.settings);
    const isSwept = plan.sweep.stages.includes(stage);
    const swept: SweptRun = isSwept
      ? await sweep(context, stage === 'baseline' ? START_SWEEP : stage, stage, declared, surfaces)
      : { run: await trainPlanRun(context, { name: stage, model: declared, surfaces }), settings: {}, trials: [] };
    const { run, trials } = swept;
    const challenger = withRun(state.champion, stage, run);
    const judged = await judge(context, stage, { ...state, challenger }, run);
    const ablations = stage === 'shared-learning' && options.ablate ? await ablate(context, state, run.model, surfaces) : [];
    return {
      report: { stage, label: stage, summary: `${summaryOf(stage, run.model)}: on ${listed(surfaces)}.`, surfaces, champion: state.champion.name, runs: [run.summary], sweep: trials, ablations, ...judged },
      accepted: { ...state, champion: challenger, model: run.model, settings: { ...state.settings, ...swept.settings } },
    };
  };

/** The run that holds what is unified so far. */
const unifiedRun = ({ champion, groups }: PathState): PlanRun => runOf(champion, groups.groups[0]![0]!)!;

const methodsText = ({ calibration }: System): string => calibration!.tasks.map(({ task, method }) => `${task}: ${method}`).join(', ');

const calibrationStage: PlannedStage['run'] = async (context, state) => {
  const run = unifiedRun(state);
  const { surfaces } = run.run;
  const challenger: System = { ...state.champion, name: 'calibration', calibration: await calibrateSystem(context, state.champion, surfaces) };
  const judged = await judge(context, 'calibration', { ...state, challenger }, run);
  return {
    report: {
      stage: 'calibration',
      label: 'calibration',
      summary: `A calibration layer per view type and task, fitted on the validation rows (${methodsText(challenger)}).`,
      surfaces,
      champion: state.champion.name,
      runs: [],
      sweep: [],
      ablations: [],
      ...judged,
    },
    accepted: { ...state, champion: challenger },
  };
};

const expandStage =
  (index: number): PlannedStage['run'] =>
  async (context, state) => {
    const joining = state.groups.groups[index]!;
    const wanted = new Set([...unifiedRun(state).run.surfaces, ...joining]);
    const surfaces = surfaceNames(context).filter((surface) => wanted.has(surface));
    const label = `expand ${joining.join('+')}`;
    const run = await trainPlanRun(context, { name: label, model: state.model!, surfaces });
    const bare = withRun(state.champion, label, run);
    const challenger: System = { ...bare, calibration: await calibrateSystem(context, bare, surfaces) };
    const judged = await judge(context, 'expand', { ...state, challenger }, run);
    return {
      report: {
        stage: 'expand',
        label,
        summary: `${listed(joining)} ${joining.length === 1 ? 'joins' : 'join'}: the same model on ${listed(surfaces)}, calibrated anew. The surfaces that were in must keep what they had.`,
        surfaces,
        champion: state.champion.name,
        runs: [run.summary],
        sweep: [],
        ablations: [],
        ...judged,
      },
      accepted: { ...state, champion: challenger },
    };
  };

const exportStage: PlannedStage['run'] = async (context, state) => {
  const { champion } = state;
  const exports = await exportFinal(context, champion);
  const run = unifiedRun(state);
  const bytes = exports.summaries.filter(({ surface }) => run.run.surfaces.includes(surface)).reduce((sum, one) => sum + one.bytes, 0);
  const judged = await judge(context, 'export', { ...state, challenger: champion }, run, { bytes, latency: exports.measured.latency });
  return {
    report: {
      stage: 'export',
      label: 'export',
      summary: `One checkpoint per surface, each with its own tower, features and tables, replayed against the trained model.`,
      surfaces: exports.summaries.map(({ surface }) => surface),
      champion: champion.name,
      runs: [],
      sweep: [],
      ablations: [],
      ...judged,
      // The champion against itself: exports are held to parity, not to a comparison.
      quality: [],
      checks: judged.checks.filter(({ limit }) => limit !== 'quality' && limit !== 'gain'),
    },
    accepted: { ...state, exports },
  };
};

/** The stages up to the profile, after which the surface groups are known. */
export const FIRST_STAGES: readonly PlannedStage[] = [
  { stage: 'separate', label: 'separate', run: separateStage },
  { stage: 'profile', label: 'profile', run: profileStage },
];

/** The stages after the profile. */
export const laterStages = ({ groups }: SurfaceGroups): readonly PlannedStage[] => [
  ...MODEL_STAGES.map((stage) => ({ stage, label: stage, run: modelStage(stage) })),
  { stage: 'calibration', label: 'calibration', run: calibrationStage },
  ...groups.slice(1).map((group, index): PlannedStage => ({ stage: 'expand', label: `expand ${group.join('+')}`, run: expandStage(index + 1) })),
  { stage: 'export', label: 'export', run: exportStage },
];

