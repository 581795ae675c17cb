import { EARLY_STOPPING_START, type EarlyStoppingState } from './early-stopping.js';
import type { Scalars } from './run-metrics.js';
import type { WarmStart } from './warm-start.js';

/** What one evaluation on held-out rows gave. */
export interface CurvePoint {
  readonly step: number;
  readonly scalars: Scalars;
}

/** Where the loop is, as plain JSON: with the engine's checkpoint it is all that a resumed run needs. */
export interface LoopState {
  /** From 0. */
  readonly epoch: number;
  /** Batches of this epoch trained on. */
  readonly batch: number;
  /** Candidates of this epoch trained on. */
  readonly epochCandidates: number;
  /** Candidates of all epochs trained on. */
  readonly candidates: number;
  /** Evaluations within this epoch. */
  readonly evaluations: number;
  readonly step: number;
  readonly stopping: EarlyStoppingState;
  readonly curves: readonly CurvePoint[];
  /** What the run took over from an older one. */
  readonly start: WarmStart | null;
}

export const LOOP_START: LoopState = {
  epoch: 0,
  batch: 0,
  epochCandidates: 0,
  candidates: 0,
  evaluations: 0,
  step: 0,
  stopping: EARLY_STOPPING_START,
  curves: [],
  start: null,
};

export const afterBatch = (state: LoopState, candidates: number): LoopState => ({
  ...state,
  batch: state.batch + 1,
  step: state.step + 1,
  epochCandidates: state.epochCandidates + candidates,
  candidates: state.candidates + candidates,
});

export const afterEpoch = (state: LoopState): LoopState => ({ ...state, epoch: state.epoch + 1, batch: 0, epochCandidates: 0, evaluations: 0 });
