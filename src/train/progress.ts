import type { Scalars } from './run-metrics.js';

/** Where training stands; sent a few times a second. */
export interface TrainProgress {
  /** From 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** Optimizer steps taken. */
  readonly step: number;
  /** Expected steps of the whole run. */
  readonly totalSteps: number;
  /** Candidates trained on so far. */
  readonly candidates: number;
  readonly totalCandidates: number;
  /** Candidates per second since this process began training, evaluations included. */
  readonly rowsPerSecond: number;
  readonly etaSeconds: number;
  /** Share of training's wall time in which the engine computed, evaluations apart. */
  readonly engineBusy: number;
  readonly learningRate: number;
  /** The last step's weighted loss. */
  readonly loss: number;
  /** Running mean cross entropy per surface. */
  readonly surfaceLosses: Scalars;
}

const INTERVAL_MS = 200;

/** Measures rows per second and lets only so many events through. */
export class ProgressClock {
  readonly #started = performance.now();
  readonly #startedAt: number;
  #last = -Infinity;

  /** @param candidates trained on before this process began */
  constructor(candidates: number) {
    this.#startedAt = candidates;
  }

  /** True when it is time for the next event. */
  isDue(): boolean {
    const now = performance.now();
    if (now - this.#last < INTERVAL_MS) return false;
    this.#last = now;
    return true;
  }

  speed(candidates: number, totalCandidates: number): Pick<TrainProgress, 'rowsPerSecond' | 'etaSeconds'> {
    const seconds = (performance.now() - this.#started) / 1000;
    const rowsPerSecond = seconds > 0 ? (candidates - this.#startedAt) / seconds : 0;
    const left = Math.max(0, totalCandidates - candidates);
    return { rowsPerSecond, etaSeconds: rowsPerSecond > 0 ? left / rowsPerSecond : Infinity };
  }
}
