import { runReport } from '../cost-report.js';
import type { CostColumn, Latency } from '../report.js';
import type { PathContext } from './context.js';
import type { FinalExports } from './final-exports.js';
import type { PlanRun } from './plan-run.js';
import { servingProfile } from './serving-profile.js';
import type { System } from './system.js';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** FLOPs of scoring all test candidates of a run's surfaces: as it is, and with every candidate a request of its own. */
const scoringFlops = ({ project, manifest, traffic }: PathContext, { model, run }: PlanRun): { readonly candidates: number; readonly flops: number; readonly expanded: number } => {
  const own = traffic.test.surfaces.filter(({ surface }) => run.surfaces.includes(surface));
  if (own.length === 0) return { candidates: 0, flops: 0, expanded: 0 };
  const { surfaces } = runReport(project, model, manifest, traffic.test, run);
  const of = (surface: string) => surfaces.find((one) => one.surface === surface)!;
  return {
    candidates: sum(own.map(({ candidates }) => candidates)),
    flops: sum(own.map(({ surface, candidates }) => candidates * of(surface).forward.perCandidateAllIn)),
    expanded: sum(own.map(({ surface, candidates }) => candidates * of(surface).forward.perCandidateAllIn * of(surface).broadcastingSaves)),
  };
};

/**
 * What the models of a system cost together.
 *
 * @param exports that it is served with; default: those of its runs' profiles
 */
export const costColumn = async (context: PathContext, system: System, exports?: FinalExports): Promise<CostColumn> => {
  const { runs } = system;
  const profiles = [];
  for (const run of runs) profiles.push(await servingProfile(context, run));
  const scoring = runs.map((run) => scoringFlops(context, run));
  const candidates = sum(scoring.map((one) => one.candidates));
  const latency: Record<string, Latency> = Object.assign({}, ...profiles.map((profile) => profile.latency)) as Record<string, Latency>;
  return {
    name: system.name,
    models: runs.length,
    parameters: sum(runs.map(({ summary }) => summary.parameters)),
    tableBytes: sum(runs.map(({ summary }) => summary.tableBytes)),
    exportBytes: exports === undefined ? sum(profiles.flatMap(({ bytes }) => Object.values(bytes))) : sum(exports.summaries.map(({ bytes }) => bytes)),
    trainingFlops: sum(runs.map(({ summary }) => summary.trainingFlops)),
    scoringFlops: sum(scoring.map(({ flops }) => flops)) / candidates,
    expandedScoringFlops: sum(scoring.map(({ expanded }) => expanded)) / candidates,
    measured: {
      trainingSeconds: sum(runs.map(({ summary }) => summary.measured.trainingSeconds)),
      latency: exports === undefined ? latency : exports.measured.latency,
      scoringMemory: exports === undefined ? sum(profiles.map(({ memory }) => memory)) : exports.measured.memory,
    },
  };
};
