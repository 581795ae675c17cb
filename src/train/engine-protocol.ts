/** What the engine's two threads say to each other. All of it is plain data. */
import type { Training } from '../config/project.js';
import type { ModelLayout, ParameterSpec } from '../model/layout.js';
import type { BatchFeeds } from './batch-feeds.js';
import type { CheckpointIdentity, CheckpointManifest } from './checkpoint-manifest.js';
import type { DenseOptimizer } from './dense-optimizer.js';
import type { TrainingFailure } from './failure-report.js';
import type { StepModel } from './step-graph.js';
import type { TransferredError } from './transferred-error.js';
import type { TableStart, WarmStart } from './warm-start.js';

/** Everything the engine's thread starts from. */
export interface EngineSpec {
  readonly layout: ModelLayout;
  readonly parameters: readonly ParameterSpec[];
  readonly score: StepModel;
  /** Absent in an engine that only scores. */
  readonly train?: StepModel;
  readonly seed: number;
  readonly threads: number;
  /** Absent in an engine that only scores. */
  readonly optimizer?: EngineOptimizer;
  /** Dense parameters that are trained; the others and all embedding rows stay as they are. Absent: everything is trained. */
  readonly trainable?: readonly string[];
}

/** How dense parameters and embedding rows are optimized. */
export type EngineOptimizer = DenseOptimizer & Pick<Training, 'embeddingOptimizer' | 'embeddingWeightDecay'>;

/** Learning rates of one step, after the schedule. */
export interface StepRates {
  readonly learningRate: number;
  readonly embeddingLearningRate: number;
}

/** What one train step gives. */
export interface StepResult {
  /** Optimizer steps taken, this one included. */
  readonly step: number;
  /** The weighted sum over tasks that was minimized. */
  readonly loss: number;
  /** Sum of the unweighted cross entropies of labelled rows, `[surfaces, tasks]` in the layout's order. */
  readonly lossSums: Float64Array;
  /** Labelled rows, `[surfaces, tasks]`. */
  readonly lossCounts: Float64Array;
  /** Global norm of the dense gradients before clipping. */
  readonly gradientNorm: number;
  /** Distinct embedding rows updated. */
  readonly embeddingRows: number;
  /** Places of attention's rectangles, and events in them, per sequence. */
  readonly padding: readonly { readonly sequence: string; readonly places: number; readonly tokens: number }[];
  /** Sums of gate weights `[surfaces, tasks, experts]` and rows per surface, where the model has experts. */
  readonly expertLoad?: { readonly sums: Float32Array; readonly rows: readonly number[] };
  /** Where the step's time went, in milliseconds. */
  readonly milliseconds: { readonly lookup: number; readonly run: number; readonly update: number };
}

/** One of the folders that a state is saved to. */
export interface CheckpointSave {
  readonly directory: string;
  /** Steps that the state must have: one that failed must not be skipped by what is resumed. */
  readonly step?: number;
  readonly identity: CheckpointIdentity;
}

export type EngineCall =
  | { readonly type: 'train'; readonly feeds: BatchFeeds; readonly rates: StepRates }
  | { readonly type: 'predict'; readonly feeds: BatchFeeds }
  | { readonly type: 'save'; readonly saves: readonly CheckpointSave[] }
  | { readonly type: 'load'; readonly directory: string }
  | { readonly type: 'start'; readonly directory: string; readonly tables: readonly TableStart[] };

/** What each call answers. */
export interface EngineAnswers {
  readonly train: StepResult;
  readonly predict: Float32Array;
  readonly save: CheckpointManifest;
  readonly load: CheckpointManifest;
  readonly start: WarmStart;
}

export interface EngineRequest {
  readonly id: number;
  readonly call: EngineCall;
}

export type EngineReply =
  /** A line for the user. */
  | { readonly notice: string }
  | { readonly id: number; readonly answer: EngineAnswers[EngineCall['type']] }
  | { readonly id: number; readonly error: TransferredError }
  | { readonly id: number; readonly failure: TrainingFailure };

/** The id that answers the start of the thread itself. */
export const START_ID = 0;
