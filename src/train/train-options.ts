import type { Training } from '../config/project.js';
import type { Batch } from '../data/batch.js';
import type { ModelGraph } from '../model/model-graph.js';
import type { Engine } from './engine.js';
import type { CurvePoint } from './loop-state.js';
import type { TrainProgress } from './progress.js';
import type { Scalars } from './run-metrics.js';
import type { Vocabulary } from './vocabulary.js';
import type { WarmStart } from './warm-start.js';

/** What an evaluation on held-out rows gives. */
export interface Evaluation {
  /** Value of the metric that early stopping watches. */
  readonly monitored: number;
  /** Everything worth writing down, by slash-separated name. */
  readonly scalars: Scalars;
}

export interface TrainOptions {
  readonly graph: ModelGraph;
  readonly training: Training;
  /** Stored in checkpoints. */
  readonly model: string;
  /** Hash of config and data; a run resumes only with the same. */
  readonly configHash: string;
  /** Task names in the order of a batch's labels. */
  readonly taskNames: readonly string[];
  /** Candidates of one epoch, for the schedule, progress and the spacing of evaluations. */
  readonly candidatesPerEpoch: number;
  /** Batches of one epoch, for the schedule. Default: as many as `training.batchSize` candidates each make. */
  readonly batchesPerEpoch?: number;
  /** Part of the planned steps that the run takes, in (0, 1], with the learning rates of a run of that length. Default 1. */
  readonly budget?: number;
  /** The batches of an epoch (from 0) after the first `from`: the same for the same epoch, every time. */
  readonly trainBatches: (epoch: number, from: number) => AsyncIterable<Batch>;
  /** Called between steps, `training.evaluationsPerEpoch` times an epoch; it may use the engine's `predict`. */
  readonly evaluate?: (engine: Engine, step: number) => Promise<Evaluation>;
  /** Gets `checkpoint/`, `metrics.jsonl`, a TensorBoard event file, `resume/` while it runs, and `result.json` at its end. */
  readonly runDirectory: string;
  /** Go on from `resume/` where there is one. Default false. */
  readonly resume?: boolean;
  /** What the rows of the embedding tables stand for; checkpoints keep it, so that another run can start from them. */
  readonly vocabulary?: Vocabulary;
  /** Checkpoint of an older run to start from, where the run is not resumed. Needs `vocabulary`. */
  readonly from?: string;
  /** Dense parameters that are trained; the others and all embedding rows stay as they are. Default: everything is trained. */
  readonly trainable?: readonly string[];
  /** Gets a line for the user, such as that the slow kernel runs. */
  readonly onNotice?: (line: string) => void;
  readonly onProgress?: (progress: TrainProgress) => void;
  /** Stops between two steps, after saving what resuming needs. */
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  /** Folder of the checkpoint: the best evaluation's with early stopping, else the last step's. */
  readonly checkpoint: string;
  /** Steps taken. */
  readonly steps: number;
  readonly candidates: number;
  /** With early stopping: where the checkpoint is from. */
  readonly best: { readonly step: number; readonly value: number } | undefined;
  readonly stoppedEarly: boolean;
  /** Share of training's wall time in which the engine computed, evaluations apart; of this process alone where it resumed. */
  readonly engineBusy: number;
  /** Share of attention's rectangles that held no event, by sequence; of this process alone, too. */
  readonly paddingWaste: Scalars;
  readonly curves: readonly CurvePoint[];
  /** What it took over from the run it was started from. */
  readonly start: WarmStart | null;
}
