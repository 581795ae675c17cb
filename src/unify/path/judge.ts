/** Comparing systems and holding them against a stage's limits. */
import type { Calibration } from '../../calibrate/calibration.js';
import { fitCalibration } from '../../calibrate/fit-calibration.js';
import type { StageName } from '../../config/unify-plan.js';
import { comparePredictions } from '../../evaluate/compare.js';
import type { Comparison } from '../../evaluate/comparison.js';
import { evaluatePredictions } from '../../evaluate/evaluate.js';
import type { Evaluation } from '../../evaluate/evaluation.js';
import { bothScored } from '../../evaluate/select-predictions.js';
import type { GateCheck, Latency, QualityCell } from '../report.js';
import type { PathContext } from './context.js';
import { calibrationChecks, gainChecks, latencyChecks, qualityChecks, sizeChecks, trainingCostChecks } from './gates.js';
import type { PlanRun } from './plan-run.js';
import { predictSystem } from './predict-system.js';
import { qualityCells } from './quality.js';
import { servingProfile } from './serving-profile.js';
import { runOf, systemKey, type System } from './system.js';

const keyOf = (system: System, surfaces: readonly string[]): unknown => [systemKey(system, surfaces), system.calibration ?? null];

/** Two systems on the test rows of some surfaces. */
export const compareSystems = (context: PathContext, a: System, b: System, surfaces: readonly string[]): Promise<Comparison> =>
  context.memo.json('comparison', [context.manifest.key, keyOf(a, surfaces), keyOf(b, surfaces), a.name, b.name], async () => {
    context.onWork(`compare ${b.name} with ${a.name}`);
    return comparePredictions(...bothScored(await predictSystem(context, a, 'test', surfaces), await predictSystem(context, b, 'test', surfaces)), { names: [a.name, b.name] });
  });

/** A system on the test rows of some surfaces, with intervals. */
export const evaluateSystem = (context: PathContext, system: System, surfaces: readonly string[]): Promise<Evaluation> =>
  context.memo.json('evaluation', [context.manifest.key, keyOf(system, surfaces)], async () => {
    context.onWork(`evaluate ${system.name}`);
    const predictions = await predictSystem(context, system, 'test', surfaces);
    return evaluatePredictions(bothScored(predictions, predictions)[0], { bootstrap: true });
  });

/** Fits a system's calibration on the validation rows of some surfaces, which training did not read. */
export const calibrateSystem = (context: PathContext, system: System, surfaces: readonly string[]): Promise<Calibration> =>
  context.memo.json('calibration', [context.manifest.key, systemKey(system, surfaces), context.plan.calibration], async () => {
    context.onWork(`calibrate ${system.name}`);
    return fitCalibration(await predictSystem(context, { ...system, calibration: undefined }, 'validation', surfaces), context.plan.calibration);
  });

/** What the separate models of some surfaces cost together; undefined where an outside model stands for one of them. */
export interface SeparateCosts {
  readonly trainingFlops: number;
  readonly bytes: number;
  readonly latency: Readonly<Record<string, Latency>>;
}

export const separateCosts = async (context: PathContext, separate: System, surfaces: readonly string[]): Promise<SeparateCosts | undefined> => {
  const runs = surfaces.map((surface) => runOf(separate, surface));
  if (runs.some((run) => run === undefined)) return undefined;
  let [trainingFlops, bytes] = [0, 0];
  const latency: Record<string, Latency> = {};
  for (const run of runs as PlanRun[]) {
    const profile = await servingProfile(context, run);
    trainingFlops += run.summary.trainingFlops;
    bytes += Object.values(profile.bytes).reduce((sum, one) => sum + one, 0);
    Object.assign(latency, profile.latency);
  }
  return { trainingFlops, bytes, latency };
};

/** A stage's challenger, held against its limits. */
export interface Judgement {
  readonly quality: readonly QualityCell[];
  readonly checks: readonly GateCheck[];
  readonly latency: Readonly<Record<string, Latency>>;
}

/**
 * @param run the challenger's new run: its surfaces are those that are looked at
 * @param costs what it is served with, where that is known better than from its profile
 */
export const judge = async (
  context: PathContext,
  stage: StageName,
  systems: { readonly champion: System; readonly challenger: System; readonly separate: System },
  run: PlanRun,
  costs?: { readonly bytes: number; readonly latency: Readonly<Record<string, Latency>> },
): Promise<Judgement> => {
  const { champion, challenger, separate } = systems;
  const gate = context.plan.gates[stage];
  const { surfaces } = run.run;
  const quality = qualityCells(await compareSystems(context, champion, challenger, surfaces));
  const firstTask = context.project.tasks[0]!.name;
  const reference = await separateCosts(context, separate, surfaces);
  const profile = await servingProfile(context, run);
  const served = costs ?? { bytes: Object.values(profile.bytes).reduce((sum, one) => sum + one, 0), latency: profile.latency };
  return {
    quality,
    checks: [
      ...qualityChecks(gate.quality, quality),
      ...gainChecks(gate.gain, quality, firstTask),
      ...(gate.calibration === undefined ? [] : calibrationChecks(gate.calibration, await evaluateSystem(context, challenger, surfaces))),
      ...trainingCostChecks(gate.trainingCost, run.summary.trainingFlops, reference?.trainingFlops),
      ...latencyChecks(gate.latency, served.latency, reference?.latency),
      ...sizeChecks(gate.size, served.bytes, reference?.bytes),
    ],
    latency: served.latency,
  };
};
