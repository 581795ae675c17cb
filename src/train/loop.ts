import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactError, OnefoldError, TrainingError } from '../config/errors.js';
import type { Batch } from '../data/batch.js';
import { explainIoFailure } from '../data/io-failure.js';
import { checkpointExists, openCheckpoint } from './checkpoint.js';
import { VOCABULARY_FILE } from './checkpoint-manifest.js';
import { afterEvaluation } from './early-stopping.js';
import { Engine } from './engine.js';
import { NonFiniteLossError } from './failure-report.js';
import { writeFinishedRun } from './finished-run.js';
import { LOOP_START, afterBatch, afterEpoch, type LoopState } from './loop-state.js';
import { RESULT_FOLDER, RESUME_FOLDER, RunCheckpoints } from './run-checkpoints.js';
import { RunMetrics } from './run-metrics.js';
import { scheduleFactor } from './schedule.js';
import { StepRecorder } from './step-recorder.js';
import type { TrainOptions, TrainResult } from './train-options.js';
import { writeVocabulary } from './vocabulary.js';

/** Steps on their way to the engine: while it computes one, the next batches are prepared. */
const IN_FLIGHT = 4;

class TrainLoop {
  readonly #options: TrainOptions;
  readonly #engine: Engine;
  readonly #checkpoints: RunCheckpoints;
  readonly #metrics: RunMetrics;
  readonly #recorder: StepRecorder;
  readonly #totalSteps: number;
  /** Whether the run ends at its last step, rather than with the last epoch. */
  readonly #isShortened: boolean;
  readonly #inFlight: Promise<void>[] = [];
  #state: LoopState;
  /** What went wrong first: what was on its way behind it fails, too. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: TrainOptions, engine: Engine, checkpoints: RunCheckpoints, state: LoopState) {
    const { training, candidatesPerEpoch, batchesPerEpoch, budget = 1, runDirectory, graph, onProgress } = options;
    const epochSteps = batchesPerEpoch ?? Math.ceil(candidatesPerEpoch / training.batchSize);
    const plannedSteps = training.epochs * epochSteps;
    const totalSteps = budget === 1 ? plannedSteps : Math.max(1, Math.round(budget * plannedSteps));
    const epochs = budget === 1 ? training.epochs : Math.ceil(totalSteps / epochSteps);
    const totalCandidates = budget === 1 ? candidatesPerEpoch * epochs : Math.round((candidatesPerEpoch * totalSteps) / epochSteps);
    this.#options = options;
    this.#engine = engine;
    this.#checkpoints = checkpoints;
    this.#state = state;
    this.#totalSteps = totalSteps;
    this.#isShortened = budget < 1;
    this.#metrics = new RunMetrics(runDirectory, state.step);
    this.#recorder = new StepRecorder({ layout: graph.layout, epochs, candidatesPerEpoch, totalCandidates, totalSteps, candidates: state.candidates, onProgress }, this.#metrics);
  }

  async run(): Promise<TrainResult> {
    try {
      let isDone = this.#isOutOfPatience();
      while (!isDone && !this.#isAtEnd()) isDone = await this.#runEpoch();
      return await this.#finish(isDone);
    } catch (error) {
      // A checkpoint under way is whole; cut off, it would be left half-written.
      await this.#checkpoints.settle().catch(() => undefined);
      throw this.#failure === undefined ? error : this.#failure.error;
    }
  }

  /** @returns true when early stopping ends the run */
  async #runEpoch(): Promise<boolean> {
    const { trainBatches, training, candidatesPerEpoch } = this.#options;
    const { busy } = this.#recorder;
    for await (const batch of trainBatches(this.#state.epoch, this.#state.batch)) {
      busy.run();
      await this.#stopWhenAborted();
      this.#submit(batch);
      if (this.#inFlight.length >= IN_FLIGHT) await this.#inFlight.shift();
      if (this.#isAtEnd()) break;
      const { evaluations, epochCandidates } = this.#state;
      const isLast = evaluations + 1 >= training.evaluationsPerEpoch;
      const isDue = epochCandidates >= ((evaluations + 1) * candidatesPerEpoch) / training.evaluationsPerEpoch;
      if (!isLast && isDue) {
        if (await this.#evaluate()) return true;
      } else if (this.#checkpoints.isDue()) await this.#checkpoints.start(this.#state);
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
        this.#recorder.add(result, rates, candidates);
      },
      (error: unknown) => {
        const failure = error instanceof NonFiniteLossError ? new NonFiniteLossError(error.failure, { epoch, batch: index }) : error;
        this.#failure ??= { error: failure };
        throw failure;
      },
    );
    // A later step that fails with an earlier one is rejected too; only the first is reported.
    pending.catch(() => undefined);
    this.#inFlight.push(pending);
  }

  async #drain(): Promise<void> {
    while (this.#inFlight.length > 0) await this.#inFlight.shift();
  }

  /** @returns true when early stopping ends the run */
  async #evaluate(): Promise<boolean> {
    await this.#drain();
    const { evaluate, training } = this.#options;
    const { step } = this.#state;
    // At the end of an epoch the state is the next epoch's start already.
    if (this.#state.batch > 0) this.#state = { ...this.#state, evaluations: this.#state.evaluations + 1 };
    let isBest = false;
    // The last batch of an epoch may end a fraction of it too.
    if (evaluate !== undefined && this.#state.curves.at(-1)?.step !== step) {
      this.#recorder.busy.pause();
      const { monitored, scalars } = await evaluate(this.#engine, step);
      this.#metrics.write(step, Object.fromEntries(Object.entries(scalars).map(([name, value]) => [`validation/${name}`, value])));
      this.#state = { ...this.#state, curves: [...this.#state.curves, { step, scalars }] };
      if (training.earlyStopping !== undefined) {
        const stopping = afterEvaluation(this.#state.stopping, training.earlyStopping.metric, step, monitored);
        this.#state = { ...this.#state, stopping };
        isBest = stopping.best?.step === step;
      }
      this.#recorder.busy.run();
    }
    await this.#checkpoints.start(this.#state, isBest);
    return this.#isOutOfPatience();
  }

  /** Whether all epochs, or a shortened run's steps, have been taken. */
  #isAtEnd(): boolean {
    const { epoch, step } = this.#state;
    return epoch >= this.#options.training.epochs || (this.#isShortened && step >= this.#totalSteps);
  }

  #isOutOfPatience(): boolean {
    const { earlyStopping } = this.#options.training;
    return earlyStopping !== undefined && this.#state.stopping.worse >= earlyStopping.patience;
  }

  async #stopWhenAborted(): Promise<void> {
    const { signal, runDirectory } = this.#options;
    if (signal?.aborted !== true) return;
    await this.#drain();
    await this.#checkpoints.start(this.#state);
    await this.#checkpoints.settle();
    throw new OnefoldError('interrupted', `training was interrupted after step ${this.#state.step}`, {
      where: runDirectory,
      fix: 'Train it again with --resume to go on from there.',
      cause: signal.reason,
    });
  }

  async #finish(stoppedEarly: boolean): Promise<TrainResult> {
    this.#recorder.busy.pause();
    const { runDirectory } = this.#options;
    const { stopping, step, candidates, curves, start } = this.#state;
    if (stopping.best === undefined) await this.#checkpoints.finish(this.#state);
    else await this.#checkpoints.settle();
    const result: TrainResult = {
      checkpoint: join(runDirectory, RESULT_FOLDER),
      steps: step,
      candidates,
      best: stopping.best,
      stoppedEarly,
      engineBusy: this.#recorder.busy.share,
      paddingWaste: this.#recorder.padding.bySequence(),
      curves,
      start,
    };
    writeFinishedRun(runDirectory, result);
    this.#checkpoints.removeResume();
    return result;
  }
}

/** The state to go on from, loaded into the engine; the start when there is none. */
const startingState = async (options: TrainOptions, engine: Engine, checkpoints: RunCheckpoints): Promise<LoopState> => {
  const directory = join(options.runDirectory, RESUME_FOLDER);
  if (options.resume !== true || !checkpointExists(directory)) {
    if (options.from === undefined) return LOOP_START;
    const start = await engine.start(options.from, options.vocabulary!);
    const state = { ...LOOP_START, start };
    // From here on a killed run resumes without the older one, which may be replaced by then.
    await checkpoints.start(state);
    await checkpoints.settle();
    return state;
  }
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
  const engine = await Engine.create({ graph, taskNames, threads: training.threads, training, trainable: options.trainable, onNotice: options.onNotice });
  try {
    const vocabulary = join(runDirectory, VOCABULARY_FILE);
    if (options.vocabulary !== undefined) writeVocabulary(vocabulary, options.vocabulary);
    const identity = { model: options.model, configHash: options.configHash, seed: training.seed, ...(options.vocabulary === undefined ? {} : { vocabulary }) };
    const checkpoints = new RunCheckpoints(engine, runDirectory, identity, training.checkpointMinutes);
    return await new TrainLoop(options, engine, checkpoints, await startingState(options, engine, checkpoints)).run();
  } catch (error) {
    if (error instanceof NonFiniteLossError) writeFailure(runDirectory, error);
    throw error;
  } finally {
    await engine.close();
  }
};
