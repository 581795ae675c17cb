import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ArtifactError, TrainingError } from '../config/errors.js';
import { TOY_LAYOUT, TOY_TASKS, TOY_TRAINING, toyBatch, toyGraph } from '../../test/support/toy-problem.js';
import { input, parameter } from '../graph/inputs.js';
import { matmul } from '../graph/ops/matmul.js';
import type { ModelGraph } from '../model/model-graph.js';
import { Engine } from './engine.js';

const IDENTITY = { model: 'toy', configHash: '', seed: 7, epoch: 0, progress: null };
const RATES = { learningRate: 0.01, embeddingLearningRate: 0.1 };

/** One dense input through a chain of wide layers: a step of a few hundred milliseconds. */
const heavyGraph = (): ModelGraph => {
  const width = 1024;
  const layout = {
    ...TOY_LAYOUT,
    tasks: [TOY_LAYOUT.tasks[0]!],
    fusedTables: [],
    blocks: [],
    dense: [{ name: 'dense.candidate', rows: 'candidate' as const, blockWidth: 3, slots: TOY_LAYOUT.dense[1]!.slots }],
  };
  const parameters: ModelGraph['parameters'][number][] = [];
  const layer = (name: string, rows: number, columns: number) => {
    const tensor = parameter(name, [rows, columns]);
    parameters.push({ spec: { name, shape: [rows, columns], initializer: { type: 'glorot', fanIn: rows, fanOut: columns }, decay: true }, tensor });
    return tensor;
  };
  let x = matmul(input('dense.candidate', 'float32', ['candidates', 3]), layer('first', 3, width));
  for (let i = 0; i < 4; i += 1) x = matmul(x, layer(`w${i}`, width, width));
  return { layout, parameters, blocks: [], logits: matmul(x, layer('last', width, 1)) };
};

describe('Engine', () => {
  const engines: Engine[] = [];
  const create = async (options: Partial<Parameters<typeof Engine.create>[0]> = {}): Promise<Engine> => {
    const engine = await Engine.create({ graph: toyGraph(), taskNames: TOY_TASKS, threads: 2, training: TOY_TRAINING, ...options });
    engines.push(engine);
    return engine;
  };
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()));
  });

  it('learns: the loss falls well below its start', async () => {
    const engine = await create();
    const losses: number[] = [];
    for (let step = 0; step < 300; step += 1) losses.push((await engine.train(toyBatch(step), RATES)).loss);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(losses.slice(0, 20))).toBeGreaterThan(0.9);
    expect(mean(losses.slice(-50))).toBeLessThan(0.7);
  });

  it('answers calls in order, and scores while it trains', async () => {
    const engine = await create();
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    const before = engine.predict(toyBatch(1));
    await Promise.all([
      before.then(note('before')),
      engine.train(toyBatch(2), RATES).then(note('train')),
      engine.predict(toyBatch(1)).then(note('after')),
    ]);
    expect(order).toEqual(['before', 'train', 'after']);
    expect(await engine.predict(toyBatch(1))).not.toEqual(await before);
  });

  it('saves and loads all of its state', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'onefold-engine-'));
    try {
      const engine = await create();
      for (let step = 0; step < 3; step += 1) await engine.train(toyBatch(step), RATES);
      const saved = await engine.save({ directory: join(directory, 'a'), identity: IDENTITY });
      expect(saved.step).toBe(3);
      const other = await create({ training: { ...TOY_TRAINING, seed: 99 } });
      expect((await other.load(join(directory, 'a'))).step).toBe(3);
      const scorer = await Engine.create({ graph: toyGraph(), taskNames: TOY_TASKS, threads: 1 });
      engines.push(scorer);
      await scorer.load(join(directory, 'a'));
      const logits = await engine.predict(toyBatch(8));
      expect(await other.predict(toyBatch(8))).toEqual(logits);
      expect(await scorer.predict(toyBatch(8))).toEqual(logits);
      await expect(scorer.train(toyBatch(8), RATES)).rejects.toThrow(/only scores/);
      // Moments, accumulators and the step count came along: both go on alike.
      await Promise.all([engine, other].map((one) => one.train(toyBatch(9), RATES)));
      expect(await other.predict(toyBatch(8))).toEqual(await engine.predict(toyBatch(8)));
      const heavy = await create({ graph: heavyGraph() });
      await expect(heavy.load(join(directory, 'a'))).rejects.toThrow(ArtifactError);
      await expect(heavy.load(join(directory, 'a'))).rejects.toThrow(/"first" is missing, the model has \[3, 1024\]/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('leaves the calling thread responsive while it computes', async () => {
    const engine = await create({ graph: heavyGraph(), training: { ...TOY_TRAINING, clipNorm: 0 } });
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last - 5);
      last = now;
    }, 5);
    const batch = toyBatch(1, 400);
    const rates = { learningRate: 1e-5, embeddingLearningRate: 0 };
    await engine.train(batch, rates);
    // The share of a run that this thread was held up for; the smallest: others may keep the machine busy.
    const shares: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      longest = 0;
      last = performance.now();
      const results = await Promise.all([engine.train(batch, rates), engine.train(batch, rates)]);
      const run = Math.max(...results.map(({ milliseconds }) => milliseconds.run));
      expect(run).toBeGreaterThan(20);
      shares.push(longest / run);
    }
    clearInterval(timer);
    expect(Math.min(...shares)).toBeLessThan(0.5);
  });

  it('turns what goes wrong in its thread into typed errors', async () => {
    const engine = await create();
    const batch = toyBatch(1);
    (batch.candidateColumns.get('item') as { values: Int32Array }).values[3] = -1;
    const failure = await engine.train(batch, RATES).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TrainingError);
    expect(failure).toMatchObject({ code: 'training', where: 'item', message: expect.stringContaining('row 3: id -1') as string });
    // The thread lives on.
    await engine.train(toyBatch(1), RATES);
    const pending = engine.train(toyBatch(2), RATES);
    await Promise.all([expect(pending).rejects.toThrow(TrainingError), engine.close()]);
    await expect(engine.predict(toyBatch(2))).rejects.toThrow(/the engine was closed/);
    await expect(create({ taskNames: ['click'] })).rejects.toThrow(/no labels of task "save"/);
  });

  it('leaves no thread behind when it does not start', async () => {
    const threads = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Worker' || name === 'MessagePort').length;
    const before = threads();
    const graph = heavyGraph();
    const parameters = graph.parameters.map(({ spec, tensor }) => ({ tensor, spec: { ...spec, shape: [-1] } }));
    await expect(Engine.create({ graph: { ...graph, parameters }, taskNames: ['click'], threads: 1, training: TOY_TRAINING })).rejects.toThrow();
    expect(threads()).toBe(before);
  });

  it('is closed in the middle of a step, and the process lives on', async () => {
    const batch = toyBatch(1, 100);
    for (let round = 0; round < 8; round += 1) {
      const engine = await create({ graph: heavyGraph(), taskNames: ['click'] });
      const steps = [engine.train(batch, RATES), engine.train(batch, RATES)].map((step) => expect(step).rejects.toThrow(/the engine was closed/));
      await new Promise((resolve) => setTimeout(resolve, 4 * round));
      await engine.close();
      await Promise.all(steps);
    }
  });
});
