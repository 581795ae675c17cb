/**
 * What `onefold unify` found, as `report.json` holds it and `report.html` shows it. Numbers that a clock made stand under
 * keys called `measured`; all others are the same whenever the plan is run again on the same machine.
 */
import type { MethodScore } from '../calibrate/calibration.js';
import type { CalibrationMethod, StageName } from '../config/unify-plan.js';
import type { Split, SurfaceCounts } from '../data/prepared.js';
import type { Interval } from '../evaluate/bootstrap.js';
import type { Comparison } from '../evaluate/comparison.js';
import type { Evaluation } from '../evaluate/evaluation.js';

/** Milliseconds of scoring one request on one thread. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** What one surface's own model costs: the profile that unification is ordered by. */
export interface SurfaceProfile {
  readonly surface: string;
  readonly candidatesPerRequest: number;
  readonly tokensPerRequest: number;
  /** FLOPs of scoring a candidate, its share of the request's included. */
  readonly flopsPerCandidate: number;
  /** FLOPs of all training steps taken. */
  readonly trainingFlops: number;
  readonly parameters: number;
  readonly tableBytes: number;
  readonly measured?: { readonly trainingSeconds: number; readonly latency: Latency };
}

/** A trained model of some surfaces. */
export interface RunSummary {
  /** `separate search`, or the stage's label. */
  readonly name: string;
  readonly surfaces: readonly string[];
  readonly parameters: number;
  readonly tableBytes: number;
  readonly steps: number;
  /** Candidates trained on, all epochs. */
  readonly candidates: number;
  readonly trainingFlops: number;
  readonly keptStep: number | null;
  /** Validation scalars (`click/overall/logLoss` …) after some steps. */
  readonly curves: readonly { readonly step: number; readonly scalars: Readonly<Record<string, number>> }[];
  readonly measured: { readonly trainingSeconds: number };
}

/** One setting of a sweep. */
export interface Trial {
  /** Values by option path; empty for the declared setting. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Weighted sum of the tasks' validation log losses. */
  readonly loss: number;
  /** Part of the steps it was trained for. */
  readonly budget: number;
  readonly chosen: boolean;
}

/** A metric of champion and challenger on one surface (or `overall`) and task. */
export interface QualityCell {
  readonly surface: string;
  readonly task: string;
  readonly metric: 'auc' | 'ne';
  readonly champion: number | null;
  readonly challenger: number | null;
  readonly difference: number | null;
  readonly interval: Interval | null;
  readonly verdict: 'better' | 'worse' | 'no difference' | null;
}

/** One limit and what was found. */
export interface GateCheck {
  readonly limit: 'quality' | 'gain' | 'chance' | 'calibration' | 'training cost' | 'latency' | 'size';
  readonly passed: boolean;
  /** Where it was looked at; the worst place of it when it passed everywhere. */
  readonly surface?: string;
  readonly viewType?: string;
  readonly task?: string;
  /** In words: what was found, and the limit. */
  readonly text: string;
  /** True where a clock made the number in `text`. */
  readonly clocked: boolean;
}

export interface StageReport {
  readonly stage: StageName;
  /** `expand related_pins` for an expansion, else the stage's name. */
  readonly label: string;
  readonly status: 'passed' | 'failed' | 'continued';
  /** What the stage did, a sentence. */
  readonly summary: string;
  /** Surfaces it concerns. */
  readonly surfaces: readonly string[];
  readonly champion: string | null;
  readonly runs: readonly RunSummary[];
  readonly sweep: readonly Trial[];
  /** Against the champion, on the test split. */
  readonly quality: readonly QualityCell[];
  readonly checks: readonly GateCheck[];
  /** Each module alone (`--ablate`), against the same champion. */
  readonly ablations: readonly { readonly name: string; readonly quality: readonly QualityCell[]; readonly trainingFlops: number }[];
  readonly measured: { readonly seconds: number; readonly latency: Readonly<Record<string, Latency>> };
}

export interface CalibrationReport {
  readonly tasks: readonly { readonly task: string; readonly method: CalibrationMethod; readonly globalMethod: CalibrationMethod; readonly scores: readonly MethodScore[] }[];
  /** On the test split: without calibration, with one global layer, and with a layer per view type; intervals included. */
  readonly before: Evaluation;
  readonly global: Evaluation;
  readonly after: Evaluation;
  /** One global layer (a) against a layer per view type (b). */
  readonly comparison: Comparison;
  /** Ratio to the true probabilities, where they are known; intervals hold what refitting on other users would change. */
  readonly truth: readonly { readonly task: string; readonly viewType: string; readonly rows: number; readonly before: number; readonly global: number; readonly after: number; readonly interval: Interval | null }[];
  /**
   * Mean log loss expected under the true probabilities, where they are known; `difference` is global less after: above 0 where a
   * layer per view type is better.
   */
  readonly truthLoss: readonly { readonly task: string; readonly before: number; readonly global: number; readonly after: number; readonly difference: number; readonly interval: Interval | null }[];
}

/** N models against one. */
export interface CostColumn {
  readonly name: string;
  readonly models: number;
  readonly parameters: number;
  readonly tableBytes: number;
  readonly exportBytes: number | null;
  readonly trainingFlops: number;
  /** Mean FLOPs of scoring a candidate over the test traffic. */
  readonly scoringFlops: number;
  /** The same with every request-side tensor expanded to candidates first. */
  readonly expandedScoringFlops: number;
  readonly measured: { readonly trainingSeconds: number; readonly latency: Readonly<Record<string, Latency>>; readonly scoringMemory: number | null };
}

/** Which surfaces have a feature, and how much of it is there. */
export interface FeatureCoverage {
  readonly feature: string;
  readonly side: 'request' | 'candidate';
  readonly kind: string;
  /** Share of rows with a value, by surface; absent where the surface lacks the feature. */
  readonly present: Readonly<Record<string, number>>;
}

/** What shuffling a feature's values among a surface's rows costs the final model. */
export interface FeatureImportance {
  readonly surface: string;
  readonly feature: string;
  readonly side: 'request' | 'candidate';
  readonly task: string;
  /** AUC before minus after. */
  readonly aucLoss: number;
  /** Relative rise of the log loss. */
  readonly logLossRise: number;
}

export interface LeaveOneOut {
  /** The surface that was left out. */
  readonly without: string;
  /** With it (champion) against without it (challenger), on the other surfaces. */
  readonly quality: readonly QualityCell[];
}

export interface ExportSummary {
  readonly surface: string;
  /** Relative to the workspace. */
  readonly directory: string;
  readonly bytes: number;
  readonly tables: 'fp32' | 'fp16' | 'int8';
  readonly dense: 'fp32' | 'int8';
  readonly maxDifference: number;
  readonly aucLoss: number;
  readonly features: number;
}

export interface UnifyReport {
  readonly version: 1;
  readonly project: string;
  readonly surfaces: readonly string[];
  readonly tasks: readonly string[];
  readonly data: { readonly key: string; readonly counts: Readonly<Record<Split, Readonly<Record<string, SurfaceCounts>>>> };
  /** `stopped`: a gate failed; `continued`: one failed and was overruled. */
  readonly outcome: { readonly status: 'complete' | 'stopped' | 'continued'; readonly stage: string | null; readonly failures: readonly string[] };
  readonly order: { readonly groups: readonly (readonly string[])[]; readonly source: 'cost' | 'config'; readonly reason: string; readonly profile: readonly SurfaceProfile[] };
  readonly stages: readonly StageReport[];
  /** The separate models (a) against the result (b), on the test split; null before there is one. */
  readonly comparison: Comparison | null;
  readonly calibration: CalibrationReport | null;
  readonly costs: readonly CostColumn[];
  readonly coverage: readonly FeatureCoverage[];
  readonly importance: readonly FeatureImportance[];
  readonly leaveOneOut: readonly LeaveOneOut[];
  readonly exports: readonly ExportSummary[];
}
