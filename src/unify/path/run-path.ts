import type { StageName } from '../../config/unify-plan.js';
import { STAGES } from '../../config/unify-plan.js';
import { stopIfAborted } from '../../config/interruption.js';
import { calibrationReport } from '../calibration-report.js';
import { featureCoverage } from '../coverage.js';
import { permutationImportance } from '../importance.js';
import type { CalibrationReport, FeatureImportance, StageReport, UnifyReport } from '../report.js';
import { openRuns } from '../score-model.js';
import type { PathContext } from './context.js';
import { costColumn } from './cost-columns.js';
import { compareSystems } from './judge.js';
import { leaveOneOut } from './leave-one-out.js';
import { contentKey } from './memo.js';
import { predictSystem } from './predict-system.js';
import { FIRST_STAGES, laterStages, PATH_START, type PathState, type PlannedStage } from './stages.js';
import { surfacesOf, systemKey, type System } from './system.js';

export interface PathOptions {
  /** Take a challenger in spite of a failed gate, and go on. Default false: a failed gate stops the plan. */
  readonly continue?: boolean;
  /** Go on from this stage: a gate that fails before it leaves the champion as it was, and stops nothing. */
  readonly from?: StageName;
  /** Run each module of `shared-learning` alone as well. */
  readonly ablate?: boolean;
}

interface Outcome {
  readonly state: PathState;
  readonly stages: readonly StageReport[];
  /** The stage whose gate stopped the plan. */
  readonly stoppedAt: StageReport | undefined;
}

const failuresOf = (stage: Pick<StageReport, 'checks'>): readonly string[] => stage.checks.filter(({ passed }) => !passed).map(({ text }) => text);

/** Runs stages one after the other, until one fails its gate. */
const runStages = async (context: PathContext, options: PathOptions, start: Outcome, planned: readonly PlannedStage[]): Promise<Outcome> => {
  let { state, stoppedAt } = start;
  const stages = [...start.stages];
  const isBeforeFrom = (stage: StageName): boolean => options.from !== undefined && STAGES.indexOf(stage) < STAGES.indexOf(options.from);
  for (const { stage, label, run } of planned) {
    if (stoppedAt !== undefined) break;
    stopIfAborted(context.signal, `unification was interrupted at stage ${label}; run it again to go on`, context.workspace);
    context.onStage(label);
    const started = performance.now();
    const { report, accepted } = await run(context, state, { ablate: options.ablate === true });
    const { latency, ...found } = report;
    const seconds = (performance.now() - started) / 1000;
    const hasFailed = found.checks.some(({ passed }) => !passed);
    const status = !hasFailed ? 'passed' : options.continue === true ? 'continued' : 'failed';
    const written: StageReport = { ...found, status, measured: { seconds, latency } };
    stages.push(written);
    for (const line of failuresOf(written)) context.onLine(`${status === 'continued' ? 'gate failed, overruled' : 'gate failed'}: ${line}`);
    // What a failed separate stage found is the reference all the same.
    if (status !== 'failed' || stage === 'separate') state = accepted;
    if (status === 'failed' && !isBeforeFrom(stage)) stoppedAt = written;
  }
  return { state, stages, stoppedAt };
};

const uncalibrated = (system: System): System => ({ ...system, calibration: undefined });

const calibrationOf = async (context: PathContext, { champion }: PathState): Promise<CalibrationReport | null> => {
  const { calibration } = champion;
  if (calibration === undefined) return null;
  const bare = uncalibrated(champion);
  const surfaces = champion.runs[0]!.run.surfaces;
  return context.memo.json('calibration-report', [systemKey(bare, surfaces), calibration], async () => {
    context.onWork('measure calibration');
    return calibrationReport(await predictSystem(context, bare, 'validation', surfaces), await predictSystem(context, bare, 'test', surfaces), calibration);
  });
};

const importanceOf = async (context: PathContext, { champion }: PathState): Promise<readonly FeatureImportance[]> => {
  const { project, manifest, prepared, plan, signal, onWork } = context;
  const rows = plan.report.importanceRows;
  if (rows === 0 || champion.runs.length === 0) return [];
  return context.memo.json('importance', [champion.runs.map(({ key }) => key), rows], async () => {
    const opened = await openRuns(project, manifest, champion.runs);
    try {
      return await permutationImportance({
        directory: prepared,
        manifest,
        features: project.features,
        groups: opened.groups,
        rows,
        seed: 1,
        onProgress: (fraction: number) => onWork(`permutation importance ${Math.round(100 * fraction)}%`),
        ...(signal === undefined ? {} : { signal }),
      });
    } finally {
      await opened.close();
    }
  });
};

const isUnified = ({ champion, separate }: PathState): boolean => champion.runs.length > 0 && champion.name !== separate.name;

/** What the report says beside the stages. */
const assemble = async (context: PathContext, { state, stages, stoppedAt }: Outcome): Promise<UnifyReport> => {
  const { project, manifest, prepared, plan } = context;
  const { separate, champion, groups, profile, exports } = state;
  const hasEnded = stoppedAt === undefined;
  const overruled = stages.find(({ status }) => status === 'continued');
  const final = champion.runs[0];
  const compared = isUnified(state);
  context.onStage('report');
  return {
    version: 1,
    project: project.name,
    surfaces: project.surfaces.map(({ name }) => name),
    tasks: project.tasks.map(({ name }) => name),
    data: { key: manifest.key, counts: { train: manifest.splits.train.counts, validation: manifest.splits.validation.counts, test: manifest.splits.test.counts } },
    outcome: {
      status: hasEnded ? (overruled === undefined ? 'complete' : 'continued') : 'stopped',
      stage: (stoppedAt ?? overruled)?.label ?? null,
      failures: stages.flatMap((stage) => failuresOf(stage)),
    },
    order: { ...groups, profile },
    stages,
    comparison: compared ? await compareSystems(context, separate, { ...champion, name: 'unified' }, surfacesOf(champion)) : null,
    calibration: await calibrationOf(context, state),
    costs: [...(separate.runs.length === 0 ? [] : [await costColumn(context, separate)]), ...(compared ? [await costColumn(context, { ...champion, name: 'unified' }, exports)] : [])],
    coverage: await context.memo.json('coverage', manifest.key, () => featureCoverage(prepared, manifest, project)),
    importance: hasEnded ? await importanceOf(context, state) : [],
    leaveOneOut: hasEnded && plan.report.leaveOneOut && compared && final !== undefined && final.run.surfaces.length > 1 ? await leaveOneOut(context, final) : [],
    exports: exports?.summaries ?? [],
  };
};

/**
 * Runs a plan: from separate models to one, a stage at a time, each held against its gate before the next. Everything is cached
 * by content, so a plan that was killed goes on where it was, and a changed one runs again only from what changed.
 *
 * @throws TrainingError, ArtifactError, ParityError from the work itself; OnefoldError `interrupted` when the signal aborts. A
 * gate that fails is no error: the report says so.
 */
export const runPath = async (context: PathContext, options: PathOptions = {}): Promise<UnifyReport> => {
  const first = await runStages(context, options, { state: PATH_START, stages: [], stoppedAt: undefined }, FIRST_STAGES);
  const all = first.stoppedAt === undefined ? await runStages(context, options, first, laterStages(first.state.groups)) : first;
  return assemble(context, all);
};

/** Identity of a report but for what a clock measured. */
export const reportKey = (report: UnifyReport): string => contentKey(JSON.parse(JSON.stringify(report, (key, value: unknown) => (key === 'measured' ? undefined : value))));
