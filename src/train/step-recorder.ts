import type { ModelLayout } from '../model/layout.js';
import { BusyClock } from './busy-clock.js';
import type { StepRates, StepResult } from './engine-protocol.js';
import { ExpertLoad } from './expert-load.js';
import { PaddingWaste } from './padding-waste.js';
import { ProgressClock, type TrainProgress } from './progress.js';
import type { RunMetrics, Scalars } from './run-metrics.js';
import { RunningLoss } from './running-loss.js';

/** About how many lines a run writes into `metrics.jsonl`. */
const METRIC_LINES = 1000;

export interface StepRecorderOptions {
  readonly layout: ModelLayout;
  /** Epochs begun by the end of the run. */
  readonly epochs: number;
  readonly candidatesPerEpoch: number;
  /** Of the whole run, about. */
  readonly totalCandidates: number;
  readonly totalSteps: number;
  /** Trained on before this process began. */
  readonly candidates: number;
  readonly onProgress: ((progress: TrainProgress) => void) | undefined;
}

const named = (prefix: string, scalars: Scalars): Scalars => Object.fromEntries(Object.entries(scalars).map(([name, value]) => [`${prefix}/${name}`, value]));

/** Turns what steps gave into metrics and progress. */
export class StepRecorder {
  readonly busy = new BusyClock();
  readonly padding = new PaddingWaste();
  readonly #options: StepRecorderOptions;
  readonly #metrics: RunMetrics;
  readonly #clock: ProgressClock;
  readonly #running: RunningLoss;
  readonly #load: ExpertLoad;

  constructor(options: StepRecorderOptions, metrics: RunMetrics) {
    this.#options = options;
    this.#metrics = metrics;
    this.#clock = new ProgressClock(options.candidates);
    this.#running = new RunningLoss(options.layout);
    this.#load = new ExpertLoad(options.layout);
  }

  /** @param candidates trained on, this step's included */
  add(result: StepResult, rates: StepRates, candidates: number): void {
    const { epochs, candidatesPerEpoch, totalCandidates, totalSteps, onProgress } = this.#options;
    const { step, loss, gradientNorm, embeddingRows, milliseconds } = result;
    this.#running.add(result);
    this.padding.add(result);
    this.#load.add(result);
    this.busy.add(milliseconds.lookup + milliseconds.run + milliseconds.update);
    const speed = this.#clock.speed(candidates, totalCandidates);
    const engineBusy = this.busy.share;
    if (step % Math.ceil(totalSteps / METRIC_LINES) === 0 || step === 1) {
      this.#metrics.write(step, {
        loss,
        ...named('loss', this.#running.bySurfaceAndTask()),
        learning_rate: rates.learningRate,
        embedding_learning_rate: rates.embeddingLearningRate,
        gradient_norm: gradientNorm,
        embedding_rows: embeddingRows,
        rows_per_second: speed.rowsPerSecond,
        engine_busy: engineBusy,
        ...named('padding_waste', this.padding.bySequence()),
        ...named('expert_load', this.#load.bySurfaceAndTask()),
      });
    }
    if (onProgress !== undefined && (this.#clock.isDue() || step === totalSteps)) {
      onProgress({
        epoch: Math.min(epochs - 1, Math.floor(candidates / candidatesPerEpoch)),
        epochs,
        step,
        totalSteps,
        candidates,
        totalCandidates,
        ...speed,
        engineBusy,
        learningRate: rates.learningRate,
        loss,
        surfaceLosses: this.#running.bySurface(),
      });
    }
  }
}
