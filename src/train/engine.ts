import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { OnefoldError, TrainingError } from '../config/errors.js';
import { turnOffTelemetry } from '../config/no-telemetry.js';
import type { Training } from '../config/project.js';
import { stopThread } from '../config/stoppable-thread.js';
import type { Batch } from '../data/batch.js';
import { INPUT } from '../model/layout.js';
import type { ModelGraph } from '../model/model-graph.js';
import { buffersOf } from './batch-feeds.js';
import type { CheckpointManifest } from './checkpoint-manifest.js';
import {
  START_ID,
  type CheckpointSave,
  type EngineAnswers,
  type EngineCall,
  type EngineOptimizer,
  type EngineReply,
  type EngineRequest,
  type EngineSpec,
  type StepRates,
  type StepResult,
} from './engine-protocol.js';
import { NonFiniteLossError } from './failure-report.js';
import { makeFeeds, type FeedPlan } from './feeds.js';
import { buildScoreModel, buildTrainModel, type StepModel } from './step-graph.js';
import { unpackError } from './transferred-error.js';
import type { Vocabulary } from './vocabulary.js';
import { planTableStarts, type WarmStart } from './warm-start.js';

/** How an engine is made. */
export interface EngineOptions {
  readonly graph: ModelGraph;
  /** Task names in the order of a batch's labels: the prepared dataset's. */
  readonly taskNames: readonly string[];
  /** Threads of ONNX Runtime. */
  readonly threads: number;
  /** Absent: the engine only scores, without optimizer state. */
  readonly training?: EngineOptimizer & Pick<Training, 'seed'>;
  /** Dense parameters that are trained; the others and all embedding rows stay as they are. Default: everything is trained. */
  readonly trainable?: readonly string[] | undefined;
  /** Gets a line for the user, such as that the slow kernel runs. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** A thread loads compiled code only: from sources (tests) the entry is the one in `dist/`. */
const workerEntry = (): URL => {
  const entry = import.meta.url.endsWith('.ts')
    ? new URL('../../dist/train/engine-worker.js', import.meta.url)
    : new URL('./engine-worker.js', import.meta.url);
  if (!existsSync(fileURLToPath(entry))) {
    throw new OnefoldError('internal', `${fileURLToPath(entry)} is missing`, { fix: 'Compile the package first: npm run build.' });
  }
  return entry;
};

const taskIndices = (options: EngineOptions): number[] =>
  options.graph.layout.tasks.map(({ name }) => {
    const index = options.taskNames.indexOf(name);
    if (index < 0) {
      throw new TrainingError(`the prepared data has no labels of task "${name}"`, {
        where: `tasks.${name}`,
        expected: `one of ${options.taskNames.join(', ')}`,
        fix: 'Prepare the data again with this config.',
      });
    }
    return index;
  });

/** Plain data for the thread: a whole training configuration may hold more. */
const optimizerOf = ({ optimizer, weightDecay, clipNorm, embeddingOptimizer, embeddingWeightDecay }: EngineOptimizer): EngineOptimizer => ({
  optimizer,
  weightDecay,
  clipNorm,
  embeddingOptimizer,
  embeddingWeightDecay,
});

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A model that trains and scores in a thread of its own, so that the calling thread stays responsive. Calls are answered
 * in the order they were made; making the next before the last is answered keeps the thread busy.
 */
export class Engine {
  readonly #worker: Worker;
  /** Absent in an engine that only scores. */
  readonly #trainPlan: FeedPlan | undefined;
  readonly #scorePlan: FeedPlan;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = START_ID;
  #stopped: Error | undefined;

  private constructor(worker: Worker, trainPlan: FeedPlan | undefined, scorePlan: FeedPlan, onNotice: EngineOptions['onNotice']) {
    this.#worker = worker;
    this.#trainPlan = trainPlan;
    this.#scorePlan = scorePlan;
    worker.on('message', (reply: EngineReply) => {
      if ('notice' in reply) onNotice?.(reply.notice);
      else this.#settle(reply);
    });
    worker.on('error', (cause) => {
      this.#stop(new TrainingError(`the engine's thread failed: ${cause.message}`, { fix: 'Run again with --verbose; report it if it stays.', cause }));
    });
    worker.on('exit', (code) => {
      this.#stop(new TrainingError(`the engine's thread stopped (exit code ${code})`, { fix: 'Check the memory that is free, then run again.' }));
    });
  }

  /**
   * Builds the model's graphs and starts its thread.
   *
   * @throws TrainingError when the data has no labels of a task; OnefoldError when the thread cannot start.
   */
  static async create(options: EngineOptions): Promise<Engine> {
    const { graph, training, trainable, threads } = options;
    const score = buildScoreModel(graph);
    const train = training === undefined ? undefined : buildTrainModel(graph, trainable);
    const spec: EngineSpec = {
      layout: graph.layout,
      parameters: graph.parameters.map((parameter) => parameter.spec),
      score,
      ...(train === undefined ? {} : { train }),
      ...(training === undefined ? {} : { optimizer: optimizerOf(training) }),
      ...(trainable === undefined ? {} : { trainable }),
      seed: training?.seed ?? 0,
      threads,
    };
    const readsSegments = (model: StepModel): boolean => model.inputs.some(({ name }) => name === INPUT.segmentSlots);
    const scorePlan: FeedPlan = { layout: graph.layout, taskIndices: [], segments: readsSegments(score) };
    const trainPlan = train === undefined ? undefined : { layout: graph.layout, taskIndices: taskIndices(options), segments: readsSegments(train) };
    turnOffTelemetry();
    const engine = new Engine(new Worker(workerEntry(), { workerData: spec }), trainPlan, scorePlan, options.onNotice);
    try {
      await new Promise<unknown>((resolve, reject) => {
        engine.#waiting.set(START_ID, { resolve, reject });
      });
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /**
   * One optimizer step on a batch.
   *
   * @throws NonFiniteLossError when the loss or a gradient is not finite: nothing was applied, and later steps fail
   * alike until a checkpoint is loaded. TrainingError when an id is outside its table or the thread died.
   */
  async train(batch: Batch, rates: StepRates): Promise<StepResult> {
    if (this.#trainPlan === undefined) throw new TrainingError('this engine only scores', { fix: 'Create the engine with a training configuration.' });
    const feeds = makeFeeds(batch, this.#trainPlan, true);
    return this.#call({ type: 'train', feeds, rates }, buffersOf(feeds));
  }

  /** Logits `[candidates · tasks]` of a batch, row-major, in the layout's task order. */
  async predict(batch: Batch): Promise<Float32Array> {
    const feeds = makeFeeds(batch, this.#scorePlan, false);
    return this.#call({ type: 'predict', feeds }, buffersOf(feeds));
  }

  /**
   * Writes the state as it is after the calls made before this one into checkpoint folders, in their order; see
   * `writeCheckpoints`. Calls made later need not wait for the files, only for a copy of the state where it is small.
   *
   * @returns the first folder's manifest, when all are written
   * @throws IoError when the file system refuses; the folder is as before.
   */
  async save(...saves: readonly CheckpointSave[]): Promise<CheckpointManifest> {
    return this.#call({ type: 'save', saves });
  }

  /**
   * Reads a checkpoint folder into this engine.
   *
   * @throws ArtifactError when it is torn or of another model.
   */
  async load(directory: string): Promise<CheckpointManifest> {
    return this.#call({ type: 'load', directory });
  }

  /**
   * Takes over what an older run's checkpoint has of this model, on top of its initial values: dense parameters and moments
   * by name and shape, embedding rows by value.
   *
   * @param vocabulary what the rows of this engine's tables stand for
   * @throws ArtifactError when the folder holds no whole checkpoint of a training run
   */
  async start(directory: string, vocabulary: Vocabulary): Promise<WarmStart> {
    return this.#call({ type: 'start', directory, tables: planTableStarts(directory, this.#scorePlan.layout, vocabulary) });
  }

  /** Ends the thread, after the step it is at; calls that wait are rejected. */
  async close(): Promise<void> {
    this.#stop(new TrainingError('the engine was closed'));
    await stopThread(this.#worker);
  }

  #call<C extends EngineCall>(call: C, transfer: readonly ArrayBuffer[] = []): Promise<EngineAnswers[C['type']]> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    this.#nextId += 1;
    const id = this.#nextId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, call } satisfies EngineRequest, transfer);
    });
  }

  #settle(reply: Exclude<EngineReply, { readonly notice: string }>): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (waiting === undefined) return;
    if ('error' in reply) waiting.reject(unpackError(reply.error));
    else if ('failure' in reply) waiting.reject(new NonFiniteLossError(reply.failure));
    else waiting.resolve(reply.answer as never);
  }

  #stop(error: Error): void {
    this.#stopped ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#stopped);
    this.#waiting.clear();
  }
}
