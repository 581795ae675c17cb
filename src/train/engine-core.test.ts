import { describe, expect, it } from 'vitest';
import type { Training } from '../config/project.js';
import type { Batch } from '../data/batch.js';
import { KernelError } from '../kernels/kernel-error.js';
import { TOY_LAYOUT, TOY_TRAINING, toyBatch, toyGraph } from '../../test/support/toy-problem.js';
import { EngineCore } from './engine-core.js';
import { EmbeddingStore } from './embedding-store.js';
import { makeFeeds } from './feeds.js';
import { elementCount } from './named-tensor.js';
import { initializeParameter } from './initialize-parameter.js';
import { typescriptKernel } from '../kernels/typescript-kernel.js';
import { buildScoreModel, buildTrainModel } from './step-graph.js';

type Values = Map<string, Float64Array>;

/** Every learned value of the toy model by name, in float64. */
const startingValues = (): Values => {
  const values: Values = new Map();
  for (const { spec } of toyGraph().parameters) values.set(spec.name, Float64Array.from(initializeParameter(spec, TOY_TRAINING.seed)));
  const store = new EmbeddingStore(typescriptKernel, TOY_LAYOUT, TOY_TRAINING.seed);
  for (const { width } of TOY_LAYOUT.fusedTables) {
    const weights = new Float32Array(store.table(width).rows * width);
    store.table(width).readRows('weights', 0, weights);
    values.set(`table.${width}`, Float64Array.from(weights));
  }
  return values;
};

/** The toy model's logits, written as plain loops: no graph, no kernel. */
const logitsOf = (values: Values, batch: Batch): number[][] => {
  const embed = (block: (typeof TOY_LAYOUT.blocks)[number], row: number): number[] =>
    block.slots.flatMap((slot) => {
      const table = values.get(`table.${block.width}`)!;
      const columns = block.rows === 'request' ? batch.requestColumns : batch.candidateColumns;
      const column = columns.get(slot.column);
      const list =
        slot.column === '@surface' ? [batch.surfaces[row]!]
        : column?.kind === 'id' ? [column.values[row]!]
        : column?.kind === 'ids' ? [...column.values.subarray(column.offsets[row], column.offsets[row + 1])]
        : [];
      return Array.from({ length: block.width }, (_, d) => {
        const entries = list.map((id) => table[(slot.base + id) * block.width + d]!);
        if (entries.length === 0) return 0;
        const sum = entries.reduce((a, b) => a + b, 0);
        return slot.pooling === 'max' ? Math.max(...entries) : slot.pooling === 'mean' ? sum / entries.length : sum;
      });
    });
  const present = (numbers: readonly number[]): number[] => (Number.isNaN(numbers[0]) ? [...numbers.map(() => 0), 0] : [...numbers, 1]);
  const age = batch.requestColumns.get('age') as { values: Float32Array };
  const vector = batch.candidateColumns.get('vector') as { values: Float32Array };
  const affine = (x: readonly number[], name: string, width: number): number[] =>
    Array.from({ length: width }, (_, j) => x.reduce((sum, value, i) => sum + value * values.get(`${name}.weight`)![i * width + j]!, values.get(`${name}.bias`)![j]!));
  const [tags, users, topics, items] = TOY_LAYOUT.blocks;
  return Array.from(batch.rowToRequest, (request, row) => {
    const features = [
      ...embed(tags!, request), ...embed(users!, request), ...present([age.values[request]!]),
      ...embed(topics!, row), ...embed(items!, row), ...present([...vector.values.subarray(2 * row, 2 * row + 2)]),
    ];
    const hidden = affine(features, 'hidden', 6).map(Math.tanh);
    const isHome = batch.surfaces[request] === 0;
    const [click, save] = affine(hidden, isHome ? 'home' : 'related', 2);
    return isHome ? [click!, 0] : [click!, save!];
  });
};

const TASKS = [{ index: 0, weight: 1 }, { index: 2, weight: 0.5 }];

const lossOf = (values: Values, batch: Batch): number => {
  const logits = logitsOf(values, batch);
  return TASKS.reduce((total, { index, weight }, task) => {
    let sum = 0;
    let weights = 0;
    logits.forEach((row, i) => {
      const label = batch.labels[index]![i]!;
      if (Number.isNaN(label)) return;
      sum += batch.weights[i]! * (Math.log1p(Math.exp(row[task]!)) - label * row[task]!);
      weights += batch.weights[i]!;
    });
    return total + (weight * sum) / weights;
  }, 0);
};

/** Central differences in float64. */
const gradientOf = (values: Values, batch: Batch): Values =>
  new Map(
    [...values].map(([name, array]) => [
      name,
      array.map((value, i) => {
        const h = 1e-5;
        array[i] = value + h;
        const above = lossOf(values, batch);
        array[i] = value - h;
        const below = lossOf(values, batch);
        array[i] = value;
        return (above - below) / (2 * h);
      }),
    ]),
  );

/** Fused rows of a width that a batch looks up, whatever gradient they get. */
const touchedRows = (width: number, batch: Batch): ReadonlySet<number> =>
  new Set(
    TOY_LAYOUT.blocks.filter((block) => block.width === width).flatMap((block) =>
      block.slots.flatMap((slot) => {
        const column = (block.rows === 'request' ? batch.requestColumns : batch.candidateColumns).get(slot.column);
        const ids = slot.column === '@surface' ? batch.surfaces : (column as { readonly values: Int32Array }).values;
        return Array.from(ids, (id) => slot.base + id);
      }),
    ),
  );

/** Optimizer state and steps written from the papers, in float64. */
class Oracle {
  readonly values = startingValues();
  readonly #moments = new Map([...this.values].map(([name, array]) => [name, { first: array.map(() => 0), second: array.map(() => 0) }]));
  readonly #accumulators = new Map(TOY_LAYOUT.fusedTables.map(({ width, rows }) => [width, new Float64Array(rows)]));
  #step = 0;

  /** @param trainable names of the parameters that are trained, where not all are */
  train(batch: Batch, training: Training, trainable?: readonly string[]): { loss: number; norm: number } {
    this.#step += 1;
    const loss = lossOf(this.values, batch);
    const gradients = gradientOf(this.values, batch);
    const dense = [...gradients].filter(([name]) => trainable?.includes(name) ?? !name.startsWith('table.'));
    const norm = Math.sqrt(dense.reduce((sum, [, array]) => sum + array.reduce((total, g) => total + g * g, 0), 0));
    const factor = training.clipNorm === 0 ? 1 : Math.min(1, training.clipNorm / norm);
    for (const [name, array] of dense) this.#adam(name, array.map((g) => g * factor), training);
    if (trainable !== undefined) return { loss, norm };
    for (const { width } of TOY_LAYOUT.fusedTables) this.#rows(width, gradients.get(`table.${width}`)!, touchedRows(width, batch), training);
    return { loss, norm };
  }

  #adam(name: string, gradient: Float64Array, training: Training): void {
    const w = this.values.get(name)!;
    const { first, second } = this.#moments.get(name)!;
    const decay = name.endsWith('weight') ? training.weightDecay : 0;
    for (let i = 0; i < w.length; i += 1) {
      const g = gradient[i]! + (training.optimizer === 'adam' ? decay * w[i]! : 0);
      first[i] = 0.9 * first[i]! + 0.1 * g;
      second[i] = 0.999 * second[i]! + 0.001 * g * g;
      const mHat = first[i]! / (1 - 0.9 ** this.#step);
      const vHat = second[i]! / (1 - 0.999 ** this.#step);
      const kept = training.optimizer === 'adamw' ? w[i]! * (1 - training.learningRate * decay) : w[i]!;
      w[i] = kept - (training.learningRate * mHat) / (Math.sqrt(vHat) + 1e-8);
    }
  }

  #rows(width: number, gradient: Float64Array, touched: ReadonlySet<number>, training: Training): void {
    if (training.embeddingOptimizer === 'adagrad') {
      this.#adagrad(width, gradient, training);
      return;
    }
    const w = this.values.get(`table.${width}`)!;
    const { first, second } = this.#moments.get(`table.${width}`)!;
    const { embeddingLearningRate: rate, embeddingWeightDecay: decay } = training;
    for (const row of touched) {
      for (let i = row * width; i < (row + 1) * width; i += 1) {
        const g = gradient[i]!;
        if (training.embeddingOptimizer === 'sgd') {
          w[i] = w[i]! - rate * (g + decay * w[i]!);
          continue;
        }
        first[i] = 0.9 * first[i]! + 0.1 * g;
        second[i] = 0.999 * second[i]! + 0.001 * g * g;
        const change = first[i]! / (1 - 0.9 ** this.#step) / (Math.sqrt(second[i]! / (1 - 0.999 ** this.#step)) + 1e-8);
        w[i] = w[i]! - rate * (change + decay * w[i]!);
      }
    }
  }

  #adagrad(width: number, gradient: Float64Array, training: Training): void {
    const w = this.values.get(`table.${width}`)!;
    const accumulators = this.#accumulators.get(width)!;
    for (let row = 0; row < accumulators.length; row += 1) {
      const g = gradient.subarray(row * width, (row + 1) * width);
      if (g.every((value) => Math.abs(value) < 1e-12)) continue;
      accumulators[row] = accumulators[row]! + g.reduce((sum, value) => sum + value * value, 0) / width;
      const multiplier = training.embeddingLearningRate / (Math.sqrt(accumulators[row]!) + 1e-8);
      for (let d = 0; d < width; d += 1) w[row * width + d] = w[row * width + d]! - multiplier * g[d]!;
    }
  }
}

const PLAN = { layout: TOY_LAYOUT, taskIndices: [0, 2], segments: true };

const createCore = (training: Training, dropout?: number, trainable?: readonly string[]): Promise<EngineCore> => {
  const graph = toyGraph(dropout === undefined ? {} : { dropout });
  return EngineCore.create({
    layout: graph.layout,
    parameters: graph.parameters.map(({ spec }) => spec),
    score: buildScoreModel(graph),
    train: buildTrainModel(graph, trainable),
    seed: training.seed,
    threads: 2,
    optimizer: training,
    ...(trainable === undefined ? {} : { trainable }),
  });
};

describe('EngineCore', () => {
  it.each([
    ['AdamW with clipping', { ...TOY_TRAINING, weightDecay: 0.1, clipNorm: 0.05 }],
    ['Adam with L2', { ...TOY_TRAINING, optimizer: 'adam' as const, weightDecay: 0.1, clipNorm: 0 }],
    ['Adam on rows', { ...TOY_TRAINING, embeddingOptimizer: 'adam' as const, embeddingLearningRate: 0.001, embeddingWeightDecay: 0.1 }],
    ['SGD on rows', { ...TOY_TRAINING, embeddingOptimizer: 'sgd' as const, embeddingWeightDecay: 0.1 }],
  ])('trains as the naive float64 oracle does: %s', async (_, training) => {
    const core = await createCore(training);
    const oracle = new Oracle();
    for (let step = 1; step <= 2; step += 1) {
      const batch = toyBatch(step, 3);
      const result = await core.train(makeFeeds(batch, PLAN, true), training);
      if ('failure' in result) throw new Error('the step failed');
      const expected = oracle.train(batch, training);
      expect(result.step).toBe(step);
      expect(result.loss).toBeCloseTo(expected.loss, 4);
      expect(result.gradientNorm).toBeCloseTo(expected.norm, 4);
    }
    const batch = toyBatch(9, 3);
    const logits = await core.predict(makeFeeds(batch, PLAN, false));
    const expected = logitsOf(oracle.values, batch).flat();
    expect(logits.length).toBe(expected.length);
    expected.forEach((logit, i) => {
      expect(logits[i]).toBeCloseTo(logit, 3);
    });
  });

  it('trains some parameters as the oracle does, and leaves all else as it is, bit for bit', async () => {
    const training = { ...TOY_TRAINING, weightDecay: 0.1, clipNorm: 0.05 };
    const trainable = ['home.weight', 'home.bias'];
    const core = await createCore(training, undefined, trainable);
    const oracle = new Oracle();
    const values = (): Map<string, Float32Array> =>
      new Map(
        Object.values(core.contents()).flat().map((tensor) => {
          const all = new Float32Array(elementCount(tensor));
          tensor.read(0, all);
          return [tensor.name, all];
        }),
      );
    const before = new Map([...values()].map(([name, array]) => [name, array.slice()]));
    for (let step = 1; step <= 3; step += 1) {
      const batch = toyBatch(step, 3);
      const result = await core.train(makeFeeds(batch, PLAN, true), training);
      if ('failure' in result) throw new Error('the step failed');
      const expected = oracle.train(batch, training, trainable);
      expect(result.embeddingRows).toBe(0);
      expect(result.loss).toBeCloseTo(expected.loss, 4);
      expect(result.gradientNorm).toBeCloseTo(expected.norm, 4);
    }
    for (const [name, after] of values()) {
      const isTrained = trainable.some((parameter) => name === parameter || name.endsWith(`.${parameter}`));
      if (isTrained) expect(after, name).not.toEqual(before.get(name));
      else expect(after, name).toEqual(before.get(name));
    }
    for (const name of trainable) oracle.values.get(name)!.forEach((value, index) => expect(values().get(name)![index]).toBeCloseTo(value, 5));
    // What is frozen is not differentiated either.
    const outputs = (names?: readonly string[]): number => buildTrainModel(toyGraph(), names).onnx.length;
    expect(outputs(trainable)).toBeLessThan(0.7 * outputs());
  });

  it('sums the cross entropy of labelled rows per surface and task', async () => {
    const core = await createCore(TOY_TRAINING);
    const batch = toyBatch(1);
    const logits = logitsOf(startingValues(), batch);
    const result = await core.train(makeFeeds(batch, PLAN, true), TOY_TRAINING);
    if ('failure' in result) throw new Error('the step failed');
    const sums = [0, 0, 0, 0];
    const counts = [0, 0, 0, 0];
    logits.forEach((row, i) => {
      TASKS.forEach(({ index }, task) => {
        const label = batch.labels[index]![i]!;
        if (Number.isNaN(label)) return;
        const cell = (batch.surfaces[batch.rowToRequest[i]!] === 0 ? 0 : 2) + task;
        sums[cell] = sums[cell]! + Math.log1p(Math.exp(row[task]!)) - label * row[task]!;
        counts[cell] = counts[cell]! + 1;
      });
    });
    expect([...result.lossCounts]).toEqual(counts);
    expect(counts[1]).toBe(0);
    sums.forEach((sum, cell) => {
      expect(result.lossSums[cell]).toBeCloseTo(sum, 3);
    });
  });

  it('draws dropout masks from the seed and the step', async () => {
    const lossesOf = async (seed: number): Promise<number[]> => {
      const core = await createCore({ ...TOY_TRAINING, seed, learningRate: 0, embeddingLearningRate: 0, weightDecay: 0 }, 0.5);
      const rates = { learningRate: 0, embeddingLearningRate: 0 };
      const losses: number[] = [];
      for (let step = 0; step < 2; step += 1) {
        const result = await core.train(makeFeeds(toyBatch(1), PLAN, true), rates);
        if (!('failure' in result)) losses.push(result.loss);
      }
      return losses;
    };
    const [first, second] = await lossesOf(7);
    expect(await lossesOf(7)).toEqual([first, second]);
    expect(second).not.toBe(first);
    const core = await createCore(TOY_TRAINING, 0.5);
    const feeds = () => makeFeeds(toyBatch(1), PLAN, false);
    expect(await core.predict(feeds())).toEqual(await core.predict(feeds()));
  });

  it('applies nothing when the loss is not finite, and says what led there', async () => {
    const core = await createCore(TOY_TRAINING);
    const before = await core.predict(makeFeeds(toyBatch(2), PLAN, false));
    const batch = toyBatch(1);
    const age = batch.requestColumns.get('age') as { values: Float32Array };
    age.values.fill(0.5);
    age.values[15] = Infinity;
    const poisoned = { ...batch, labels: batch.labels.map((labels) => labels.slice()) };
    (poisoned.candidateColumns.get('vector') as { values: Float32Array }).values[0] = 3e38;
    const result = await core.train(makeFeeds(poisoned, PLAN, true), { learningRate: 1e30, embeddingLearningRate: 0 });
    // tanh saturates: an infinite input alone leaves the loss finite, but not the gradient of the layer before it.
    if (!('failure' in result)) throw new Error('the step passed');
    expect(result.failure.step).toBe(1);
    expect(result.failure.dense.find(({ column }) => column === 'age')).toMatchObject({ present: 16, notFinite: 1, min: 0.5, max: 0.5 });
    expect(result.failure.labels.map(({ task }) => task)).toEqual(['click', 'save']);
    expect(result.failure.tables.map(({ table }) => table)).toEqual(['tags', 'topics', 'words', '@surface', 'user', 'item']);
    expect(await core.predict(makeFeeds(toyBatch(2), PLAN, false))).toEqual(before);
  });

  it('rejects ids outside their table', async () => {
    const core = await createCore(TOY_TRAINING);
    const batch = toyBatch(1);
    (batch.candidateColumns.get('item') as { values: Int32Array }).values[3] = 30;
    await expect(core.train(makeFeeds(batch, PLAN, true), TOY_TRAINING)).rejects.toThrow(new KernelError('item', 3, 30, 30));
  });
});
