import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactError, OnefoldError, TrainingError } from '../config/errors.js';
import type { Training } from '../config/project.js';
import type { Batch } from '../data/batch.js';
import { explainIoFailure } from '../data/io-failure.js';
import type { ModelGraph } from '../model/model-graph.js';
import { checkpointExists, openCheckpoint } from './checkpoint.js';
import { afterEvaluation } from './early-stopping.js';
import { Engine } from './engine.js';
import type { StepRates, StepResult } from './engine-protocol.js';
import { NonFiniteLossError } from './failure-report.js';
import { writeFinishedRun } from './finished-run.js';
import { LOOP_START, afterBatch, afterEpoch, type CurvePoint, type LoopState } from './loop-state.js';
import { ProgressClock, type TrainProgress } from './progress.js';
import { RunMetrics, type Scalars } from './run-metrics.js';
import { RunningLoss } from './running-loss.js';
import { scheduleFactor } from './schedule.js';

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
  /** The batches of an epoch (from 0): the same for the same epoch, every time. */
  readonly trainBatches: (epoch: number) => AsyncIterable<Batch>;
  /** Called between steps, `training.evaluationsPerEpoch` times an epoch; it may use the engine's `predict`. */
  readonly evaluate?: (engine: Engine, step: number) => Promise<Evaluation>;
  /** Gets `checkpoint/`, `metrics.jsonl`, a TensorBoard event file, `resume/` while it runs, and `result.json` at its end. */
  readonly runDirectory: string;
  /** Go on from `resume/` where there is one. Default false. */
  readonly resume?: boolean;
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
  readonly curves: readonly CurvePoint[];
}

/** Steps on their way to the engine: while it computes one, the next batch is prepared. */
const IN_FLIGHT = 2;

/** About how many lines a run writes into `metrics.jsonl`. */
const METRIC_LINES = 1000;

class TrainLoop {
  readonly #options: TrainOptions;
  readonly #engine: Engine;
  readonly #metrics: RunMetrics;
  readonly #clock: ProgressClock;
  readonly #running: RunningLoss;
  readonly #totalSteps: number;
  readonly #inFlight: Promise<void>[] = [];
  #state: LoopState;

  constructor(options: TrainOptions, engine: Engine, state: LoopState) {
    const { training, candidatesPerEpoch, batchesPerEpoch, runDirectory, graph } = options;
    this.#options = options;
    this.#engine = engine;
    this.#state = state;
    this.#metrics = new RunMetrics(runDirectory, state.step);
    this.#clock = new ProgressClock(state.candidates);
    this.#running = new RunningLoss(graph.layout);
    this.#totalSteps = training.epochs * (batchesPerEpoch ?? Math.ceil(candidatesPerEpoch / training.batchSize));
  }

  async run(): Promise<TrainResult> {
    const { training } = this.#options;
    let isDone = this.#isOutOfPatience();
    while (!isDone && this.#state.epoch < training.epochs) isDone = await this.#runEpoch();
    return this.#finish(isDone);
  }

  /** @returns true when early stopping ends the run */
  async #runEpoch(): Promise<boolean> {
    const { trainBatches, training, candidatesPerEpoch } = this.#options;
    let toSkip = this.#state.batch;
    for await (const batch of trainBatches(this.#state.epoch)) {
      // A resumed epoch passes over what it was trained on already.
      if (toSkip > 0) {
        toSkip -= 1;
        continue;
      }
      await this.#stopWhenAborted();
      this.#submit(batch);
      if (this.#inFlight.length >= IN_FLIGHT) await this.#inFlight.shift();
      const { evaluations, epochCandidates } = this.#state;
      const isLast = evaluations + 1 >= training.evaluationsPerEpoch;
      const isDue = epochCandidates >= ((evaluations + 1) * candidatesPerEpoch) / training.evaluationsPerEpoch;
      if (!isLast && isDue && (await this.#evaluate())) return true;
    }
    await this.#drain();
    if (this.#state.step === 0) {
      throw new TrainingError(`there is nothing to train ${this.#options.model} on: the training split is empty for its surfaces`, {
        expected: 'at least one candidate',
        fix: 'Check the split and the `where` conditions of the surfaces.',
      });
    }
    this.#state = afterEpoch(this.#state);
    return this.#evaluate();
  }

  /** Hands a batch to the engine; what it answers is recorded when it comes. */
  #submit(batch: Batch): void {
    const { training } = this.#options;
    const { epoch, batch: index } = this.#state;
    this.#state = afterBatch(this.#state, batch.candidateCount);
    const { step, candidates } = this.#state;
    const factor = scheduleFactor(step, this.#totalSteps, training);
    const rates = { learningRate: training.learningRate * factor, embeddingLearningRate: training.embeddingLearningRate * factor };
    const pending = this.#engine.train(batch, rates).then(
      (result) => {
        this.#record(result, rates, candidates);
      },
      (error: unknown) => {
        throw error instanceof NonFiniteLossError ? new NonFiniteLossError(error.failure, { epoch, batch: index }) : error;
      },
    );
    // A later step that fails with an earlier one is rejected too; only the first is reported.
    pending.catch(() => undefined);
    this.#inFlight.push(pending);
  }

  async #drain(): Promise<void> {
    while (this.#inFlight.length > 0) await this.#inFlight.shift();
  }

  #record(result: StepResult, rates: StepRates, candidates: number): void {
    this.#running.add(result);
    const { training, candidatesPerEpoch, onProgress } = this.#options;
    const { step, loss, gradientNorm, embeddingRows } = result;
    const totalCandidates = candidatesPerEpoch * training.epochs;
    const speed = this.#clock.speed(candidates, totalCandidates);
    const every = Math.ceil(this.#totalSteps / METRIC_LINES);
    if (step % every === 0 || step === 1) {
      const losses = Object.entries(this.#running.bySurfaceAndTask()).map(([name, value]) => [`loss/${name}`, value]);
      this.#metrics.write(step, {
        loss,
        ...Object.fromEntries(losses),
        learning_rate: rates.learningRate,
        embedding_learning_rate: rates.embeddingLearningRate,
        gradient_norm: gradientNorm,
        embedding_rows: embeddingRows,
        rows_per_second: speed.rowsPerSecond,
      });
    }
    if (onProgress !== undefined && (this.#clock.isDue() || step === this.#totalSteps)) {
      onProgress({
        epoch: Math.min(training.epochs - 1, Math.floor(candidates / candidatesPerEpoch)),
        epochs: training.epochs,
        step,
        totalSteps: this.#totalSteps,
        candidates,
        totalCandidates,
        ...speed,
        learningRate: rates.learningRate,
        loss,
        surfaceLosses: this.#running.bySurface(),
      });
    }
  }

  /** @returns true when early stopping ends the run */
  async #evaluate(): Promise<boolean> {
    await this.#drain();
    const { evaluate, training } = this.#options;
    const { step } = this.#state;
    // At the end of an epoch the state is the next epoch's start already.
    if (this.#state.batch > 0) this.#state = { ...this.#state, evaluations: this.#state.evaluations + 1 };
    // The last batch of an epoch may end a fraction of it too.
    if (evaluate !== undefined && this.#state.curves.at(-1)?.step !== step) {
      const { monitored, scalars } = await evaluate(this.#engine, step);
      this.#metrics.write(step, Object.fromEntries(Object.entries(scalars).map(([name, value]) => [`validation/${name}`, value])));
      this.#state = { ...this.#state, curves: [...this.#state.curves, { step, scalars }] };
      if (training.earlyStopping !== undefined) {
        const stopping = afterEvaluation(this.#state.stopping, training.earlyStopping.metric, step, monitored);
        this.#state = { ...this.#state, stopping };
        if (stopping.best?.step === step) await this.#save('checkpoint', null);
      }
    }
    await this.#save('resume', this.#state);
    return this.#isOutOfPatience();
  }

  #isOutOfPatience(): boolean {
    const { earlyStopping } = this.#options.training;
    return earlyStopping !== undefined && this.#state.stopping.worse >= earlyStopping.patience;
  }

  async #stopWhenAborted(): Promise<void> {
    const { signal, runDirectory } = this.#options;
    if (signal?.aborted !== true) return;
    await this.#drain();
    await this.#save('resume', this.#state);
    throw new OnefoldError('interrupted', `training was interrupted after step ${this.#state.step}`, {
      where: runDirectory,
      fix: 'Train it again with --resume to go on from there.',
      cause: signal.reason,
    });
  }

  async #finish(stoppedEarly: boolean): Promise<TrainResult> {
    const { runDirectory } = this.#options;
    const { stopping, step, candidates, curves } = this.#state;
    if (stopping.best === undefined) await this.#save('checkpoint', null);
    const result: TrainResult = { checkpoint: join(runDirectory, 'checkpoint'), steps: step, candidates, best: stopping.best, stoppedEarly, curves };
    writeFinishedRun(runDirectory, result);
    rmSync(join(runDirectory, 'resume'), { recursive: true, force: true });
    return result;
  }

  async #save(folder: 'checkpoint' | 'resume', progress: LoopState | null): Promise<void> {
    const { model, configHash, training, runDirectory } = this.#options;
    await this.#engine.save(join(runDirectory, folder), { model, configHash, seed: training.seed, epoch: this.#state.epoch, progress });
  }
}

/** The state to go on from, loaded into the engine; the start when there is none. */
const startingState = async (options: TrainOptions, engine: Engine): Promise<LoopState> => {
  const directory = join(options.runDirectory, 'resume');
  if (options.resume !== true || !checkpointExists(directory)) return LOOP_START;
  const { configHash, progress } = openCheckpoint(directory);
  if (configHash !== options.configHash) {
    throw new ArtifactError(`${directory} was written with another config or other data`, {
      where: directory,
      expected: `config hash ${options.configHash}, found ${configHash}`,
      fix: 'Go back to that config, or train from the start without --resume.',
    });
  }
  await engine.load(directory);
  return progress as LoopState;
};

const writeFailure = (runDirectory: string, { failure, position }: NonFiniteLossError): void => {
  const path = join(runDirectory, 'failure.json');
  try {
    writeFileSync(path, `${JSON.stringify({ ...position, ...failure }, undefined, 2)}\n`);
  } catch (cause) {
    throw explainIoFailure(cause, path);
  }
};

/**
 * Trains a model from start to end: batches, schedule, evaluations, early stopping, metrics and checkpoints. The same
 * options on the same machine give the same checkpoint, byte for byte, whether or not the run was killed and resumed.
 *
 * @throws NonFiniteLossError when a loss is NaN or infinite, with `failure.json` in the run folder; OnefoldError
 * `interrupted` when the signal aborts; IoError when the run folder cannot be written.
 */
export const trainModel = async (options: TrainOptions): Promise<TrainResult> => {
  const { graph, taskNames, training, runDirectory } = options;
  try {
    mkdirSync(runDirectory, { recursive: true });
    rmSync(join(runDirectory, 'failure.json'), { force: true });
  } catch (cause) {
    throw explainIoFailure(cause, runDirectory);
  }
  const engine = await Engine.create({ graph, taskNames, threads: training.threads, training });
  try {
    return await new TrainLoop(options, engine, await startingState(options, engine)).run();
  } catch (error) {
    if (error instanceof NonFiniteLossError) writeFailure(runDirectory, error);
    throw error;
  } finally {
    await engine.close();
  }
};
