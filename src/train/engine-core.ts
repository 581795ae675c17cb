import { join } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { TrainingError } from '../config/errors.js';
import { chooseKernel } from '../kernels/choose-kernel.js';
import type { EmbeddingKernel, RowOptimizer } from '../kernels/embedding-kernel.js';
import { LOGITS } from '../model/layout.js';
import type { BatchFeeds } from './batch-feeds.js';
import { openCheckpoint, type CheckpointTarget } from './checkpoint.js';
import type { CheckpointManifest } from './checkpoint-manifest.js';
import type { CheckpointContents } from './checkpoint-snapshot.js';
import { DenseState } from './dense-state.js';
import { EmbeddingStore, type FilledBlock } from './embedding-store.js';
import type { CheckpointSave, EngineSpec, StepRates, StepResult } from './engine-protocol.js';
import { reportFailure, type TrainingFailure } from './failure-report.js';
import { fillFromFiles } from './fill-tensors.js';
import { openSession } from './open-session.js';
import { rowOptimizer } from './row-optimizer.js';
import { DropoutMasks, addLabels, addScoringMasks, batchInputs } from './step-inputs.js';
import { STEP, type StepModel, blockGradientName, parameterGradientName } from './step-graph.js';
import { warmStart, type TableStart, type WarmStart } from './warm-start.js';

type Outputs = Readonly<Record<string, Tensor>>;

const floats = (outputs: Outputs, name: string): Float32Array => outputs[name]!.data as Float32Array;

/** Sums of row losses per surface and task, over labelled rows. */
const sumLosses = (spec: EngineSpec, feeds: BatchFeeds, rowLosses: Float32Array): Pick<StepResult, 'lossSums' | 'lossCounts'> => {
  const { surfaces, tasks } = spec.layout;
  const lossSums = new Float64Array(surfaces.length * tasks.length);
  const lossCounts = new Float64Array(lossSums.length);
  const { weights } = feeds.labels!;
  let entry = 0;
  for (let surface = 0; surface < surfaces.length; surface += 1) {
    const end = entry + Number(feeds.surfaceCandidates[surface]!) * tasks.length;
    for (let task = 0; entry < end; entry += 1, task = task + 1 === tasks.length ? 0 : task + 1) {
      if (weights[entry] === 0) continue;
      const cell = surface * tasks.length + task;
      lossSums[cell] = lossSums[cell]! + rowLosses[entry]!;
      lossCounts[cell] = lossCounts[cell]! + 1;
    }
  }
  return { lossSums, lossCounts };
};

const paddingOf = (feeds: BatchFeeds): StepResult['padding'] =>
  feeds.sequences.map(({ name, events, places }) => ({ sequence: name, tokens: events, places }));

/** Copied: what a step hands out must not keep its outputs alive. */
const expertLoadOf = (feeds: BatchFeeds, outputs: Outputs): Pick<StepResult, 'expertLoad'> =>
  outputs[STEP.expertLoad] === undefined ? {} : { expertLoad: { sums: floats(outputs, STEP.expertLoad).slice(), rows: Array.from(feeds.surfaceCandidates, Number) } };

/** All state of a model that trains or scores, and the ONNX Runtime sessions that run it. Lives in the engine's thread. */
export class EngineCore {
  readonly #spec: EngineSpec;
  readonly #score: InferenceSession;
  readonly #train: InferenceSession | undefined;
  readonly #dense: DenseState;
  readonly #embeddings: EmbeddingStore;
  readonly #masks: DropoutMasks;
  #step = 0;
  /** Optimizer steps of the runs that this one was started from. */
  #stepsBefore = 0;

  private constructor(spec: EngineSpec, kernel: EmbeddingKernel, score: InferenceSession, train: InferenceSession | undefined) {
    this.#spec = spec;
    this.#score = score;
    this.#train = train;
    this.#dense = new DenseState(kernel, spec.parameters, spec.seed, train !== undefined, spec.trainable);
    this.#embeddings = new EmbeddingStore(kernel, spec.layout, spec.seed, spec.optimizer?.embeddingOptimizer);
    this.#masks = new DropoutMasks(spec.layout, spec.train?.inputs ?? [], spec.seed);
  }

  /** @param onNotice gets the line that says which kernel runs where the fast one does not */
  static async create(spec: EngineSpec, onNotice?: (line: string) => void): Promise<EngineCore> {
    const kernel = chooseKernel({ threads: spec.threads, ...(onNotice === undefined ? {} : { onFallback: onNotice }) });
    const score = await openSession(spec.score.onnx, spec.threads);
    const train = spec.train === undefined ? undefined : await openSession(spec.train.onnx, spec.threads);
    return new EngineCore(spec, kernel, score, train);
  }

  /**
   * One step on one batch. When the loss or a gradient is not finite nothing is applied, and what led there is returned.
   *
   * @throws KernelError when an id is outside its table.
   */
  async train(feeds: BatchFeeds, rates: StepRates): Promise<StepResult | { readonly failure: TrainingFailure }> {
    const { layout, optimizer } = this.#spec;
    if (this.#train === undefined || optimizer === undefined || feeds.labels === undefined) {
      throw new TrainingError('this engine only scores', { fix: 'Create the engine with a training configuration.' });
    }
    const step = this.#step + 1;
    const started = performance.now();
    const filled = this.#embeddings.lookup(feeds);
    const inputs = batchInputs(layout, feeds, filled);
    addLabels(inputs, layout, feeds.labels);
    this.#masks.addTo(inputs, feeds, step);
    const lookedUp = performance.now();
    const outputs = await this.#run(this.#train, this.#spec.train!, inputs);
    const ran = performance.now();

    const denseGradient = (parameter: string): Float32Array => floats(outputs, parameterGradientName(parameter));
    const loss = floats(outputs, STEP.loss)[0]!;
    const gradientNorm = this.#dense.gradientNorm(denseGradient);
    const rowLosses = floats(outputs, STEP.rowLosses);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      const weights = { table: (width: number) => this.#embeddings.table(width), parameters: this.#dense.parameters() };
      return { failure: reportFailure(layout, feeds, { step, loss, gradientNorm, rowLosses }, weights) };
    }
    const age = this.#stepsBefore + step;
    this.#dense.update(denseGradient, gradientNorm, optimizer, rates.learningRate, age);
    const embeddingRows = this.#spec.trainable === undefined ? this.#updateRows(filled, outputs, rowOptimizer(optimizer, rates.embeddingLearningRate, age)) : 0;
    this.#step = step;
    const milliseconds = { lookup: lookedUp - started, run: ran - lookedUp, update: performance.now() - ran };
    return { step, loss, gradientNorm, embeddingRows, padding: paddingOf(feeds), ...expertLoadOf(feeds, outputs), milliseconds, ...sumLosses(this.#spec, feeds, rowLosses) };
  }

  /** Logits `[candidates · tasks]`, row-major. */
  async predict(feeds: BatchFeeds): Promise<Float32Array> {
    const inputs = batchInputs(this.#spec.layout, feeds, this.#embeddings.lookup(feeds));
    addScoringMasks(inputs, this.#spec.layout);
    const outputs = await this.#run(this.#score, this.#spec.score, inputs);
    return outputs[LOGITS]!.data as Float32Array;
  }

  /**
   * Where checkpoints of the present state go, with what they say about it.
   *
   * @throws TrainingError when a step that they should hold was not applied
   */
  targets(saves: readonly CheckpointSave[]): CheckpointTarget[] {
    const { layout, parameters } = this.#spec;
    if (saves.some(({ step }) => step !== undefined && step !== this.#step)) {
      throw new TrainingError(`a checkpoint after step ${saves[0]!.step} was asked for, the model is at step ${this.#step}`);
    }
    return saves.map(({ directory, identity: { vocabulary, ...identity } }) => ({
      directory,
      vocabulary,
      manifest: { ...identity, step: this.#step, stepsBefore: this.#stepsBefore, layout, parameters },
    }));
  }

  /** The state itself, as it is when it is read. */
  contents(): CheckpointContents {
    return {
      'dense.safetensors': this.#dense.parameterTensors(),
      'tables.safetensors': this.#embeddings.tensors(),
      'optimizer.safetensors': this.#dense.momentTensors(),
    };
  }

  /** @throws ArtifactError when the checkpoint is torn or of another model. */
  load(directory: string): CheckpointManifest {
    const manifest = openCheckpoint(directory);
    fillFromFiles([
      { path: join(directory, 'dense.safetensors'), tensors: this.#dense.parameterTensors() },
      { path: join(directory, 'tables.safetensors'), tensors: this.#embeddings.tensors() },
      { path: join(directory, 'optimizer.safetensors'), tensors: this.#dense.momentTensors() },
    ]);
    this.#step = manifest.step;
    this.#stepsBefore = manifest.stepsBefore;
    return manifest;
  }

  /** Takes over what an older checkpoint has of this model; see `warmStart`. Steps are counted anew, the optimizers' age is not. */
  start(directory: string, tables: readonly TableStart[]): WarmStart {
    const { manifest, report } = warmStart(directory, tables, {
      layout: this.#spec.layout,
      parameters: this.#dense.parameterTensors(),
      moments: this.#dense.momentTensors(),
      tableOf: (width) => this.#embeddings.table(width),
    });
    this.#step = 0;
    this.#stepsBefore = manifest.stepsBefore + manifest.step;
    return report;
  }

  /** @returns distinct rows updated */
  #updateRows(filled: readonly FilledBlock[], outputs: Outputs, optimizer: RowOptimizer): number {
    return this.#embeddings.update(filled, (block) => floats(outputs, blockGradientName(block)), optimizer);
  }

  async #run(session: InferenceSession, model: StepModel, inputs: ReadonlyMap<string, Tensor>): Promise<Outputs> {
    const feeds: Record<string, Tensor> = {};
    for (const { name } of model.inputs) {
      const tensor = inputs.get(name) ?? this.#dense.get(name);
      if (tensor === undefined) throw new TrainingError(`the model reads an input "${name}" that the engine does not know`);
      feeds[name] = tensor;
    }
    return (await session.run(feeds)) as Outputs;
  }
}
