import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OnefoldError } from '../config/errors.js';
import type { Batch } from '../data/batch.js';
import { TOY_TASKS, TOY_TRAINING, toyBatch, toyGraph } from '../../test/support/toy-problem.js';
import { openCheckpoint } from './checkpoint.js';
import { NonFiniteLossError } from './failure-report.js';
import { trainModel } from './loop.js';
import type { TrainProgress } from './progress.js';
import type { TrainOptions } from './train-options.js';

const BATCHES = 12;

const batchOf = (epoch: number, index: number): Batch => toyBatch(100 * epoch + index);

async function* batchesOf(epoch: number, from: number): AsyncIterable<Batch> {
  for (let index = from; index < BATCHES; index += 1) yield await Promise.resolve(batchOf(epoch, index));
}

const candidatesPerEpoch = Array.from({ length: BATCHES }, (_, index) => batchOf(0, index).candidateCount).reduce((a, b) => a + b, 0);

const hashFolder = (directory: string): string[] =>
  readdirSync(directory)
    .sort()
    .map((name) => `${name} ${createHash('sha256').update(readFileSync(join(directory, name))).digest('hex')}`);

describe('trainModel', () => {
  let parent: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'onefold-loop-'));
  });
  afterEach(() => {
    rmSync(parent, { recursive: true });
  });

  const options = (name: string, changes: Partial<TrainOptions> = {}): TrainOptions => ({
    graph: toyGraph({ dropout: 0.2 }),
    training: { ...TOY_TRAINING, batchSize: Math.ceil(candidatesPerEpoch / BATCHES) },
    model: 'toy',
    configHash: 'hash',
    taskNames: TOY_TASKS,
    candidatesPerEpoch,
    trainBatches: batchesOf,
    runDirectory: join(parent, name),
    ...changes,
  });

  it('gives the same checkpoint, byte for byte, twice', async () => {
    const events: TrainProgress[] = [];
    const first = await trainModel(options('a', { onProgress: (event) => events.push(event) }));
    const second = await trainModel(options('b'));
    expect(first).toMatchObject({ steps: 2 * BATCHES, best: undefined, stoppedEarly: false, curves: [] });
    expect(hashFolder(second.checkpoint)).toEqual(hashFolder(first.checkpoint));
    const other = await trainModel(options('c', { training: { ...options('c').training, seed: 8 } }));
    expect(hashFolder(other.checkpoint)).not.toEqual(hashFolder(first.checkpoint));
    expect(events.at(-1)).toMatchObject({ step: 2 * BATCHES, totalSteps: 2 * BATCHES, epochs: 2 });
    expect(Object.keys(events[0]!.surfaceLosses)).toEqual(['home', 'related']);
    expect(events[0]!.rowsPerSecond).toBeGreaterThan(0);
    expect(readdirSync(join(parent, 'a')).filter((name) => !name.includes('tfevents')).sort()).toEqual(['checkpoint', 'metrics.jsonl', 'result.json']);
    const lines = readFileSync(join(parent, 'a', 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(2 * BATCHES);
    expect(Object.keys(JSON.parse(lines.at(-1)!) as object)).toEqual([
      'step', 'loss', 'loss/home/click', 'loss/related/click', 'loss/related/save',
      'learning_rate', 'embedding_learning_rate', 'gradient_norm', 'embedding_rows', 'rows_per_second', 'engine_busy',
    ]);
  });

  it('ends the same when it was interrupted and resumed', async () => {
    const evaluate: TrainOptions['evaluate'] = async (engine, step) => {
      const logits = await engine.predict(batchOf(9, 0));
      return { monitored: -step, scalars: { first: logits[0]! } };
    };
    const training = { ...options('a').training, evaluationsPerEpoch: 3, earlyStopping: { metric: 'auc' as const, task: 'click', patience: 4 } };
    const whole = await trainModel(options('a', { training, evaluate }));
    expect(whole.best!.step).toBe(4);
    expect(whole.stoppedEarly).toBe(true);
    const controller = new AbortController();
    let seen = 0;
    async function* interrupted(epoch: number, from: number): AsyncIterable<Batch> {
      for await (const batch of batchesOf(epoch, from)) {
        seen += 1;
        if (seen === 18) controller.abort(new Error('stop'));
        yield batch;
      }
    }
    const stopped = await trainModel(options('b', { training, evaluate, trainBatches: interrupted, signal: controller.signal })).catch((error: unknown) => error);
    expect(stopped).toBeInstanceOf(OnefoldError);
    expect((stopped as OnefoldError).message).toBe('training was interrupted after step 17');
    await expect(trainModel(options('b', { training, evaluate, resume: true, configHash: 'other' }))).rejects.toThrow(/another config or other data/);
    const resumed = await trainModel(options('b', { training, evaluate, resume: true }));
    expect(resumed).toEqual({ ...whole, checkpoint: resumed.checkpoint, engineBusy: resumed.engineBusy });
    expect(hashFolder(resumed.checkpoint)).toEqual(hashFolder(whole.checkpoint));
  });

  it('resumes without early stopping to the same last step', async () => {
    const whole = await trainModel(options('a'));
    const controller = new AbortController();
    async function* interrupted(epoch: number, from: number): AsyncIterable<Batch> {
      let index = from;
      for await (const batch of batchesOf(epoch, from)) {
        index += 1;
        if (epoch === 1 && index === 3) controller.abort();
        yield batch;
      }
    }
    await expect(trainModel(options('b', { trainBatches: interrupted, signal: controller.signal }))).rejects.toThrow(/interrupted after step 14/);
    const resumed = await trainModel(options('b', { resume: true }));
    expect(hashFolder(resumed.checkpoint)).toEqual(hashFolder(whole.checkpoint));
  });

  it('takes half the steps at half the budget, with the learning rates of a run of that length', async () => {
    const evaluate: TrainOptions['evaluate'] = async (engine, step) => Promise.resolve({ monitored: (await engine.predict(batchOf(9, 0)))[0]!, scalars: { step } });
    const halved = (name: string, epochs: number, changes: Partial<TrainOptions> = {}): TrainOptions => options(name, { evaluate, training: { ...options(name).training, epochs }, ...changes });
    const events: TrainProgress[] = [];
    const whole = await trainModel(halved('whole', 3));
    const half = await trainModel(halved('half', 3, { budget: 0.5, onProgress: (event) => events.push(event) }));
    expect(whole.steps).toBe(3 * BATCHES);
    expect(half).toMatchObject({ steps: whole.steps / 2, stoppedEarly: false });
    // The last evaluation is that of the last step, in the middle of an epoch.
    expect(half.curves.map(({ step }) => step)).toEqual([BATCHES, 1.5 * BATCHES]);
    expect(events.at(-1)).toMatchObject({ step: 1.5 * BATCHES, totalSteps: 1.5 * BATCHES, epochs: 2, totalCandidates: Math.round(1.5 * candidatesPerEpoch) });
    // Half of two epochs is one epoch: the same checkpoint, its learning rates included.
    const [one, ofTwo] = [await trainModel(halved('one', 1)), await trainModel(halved('of-two', 2, { budget: 0.5 }))];
    expect(hashFolder(ofTwo.checkpoint)).toEqual(hashFolder(one.checkpoint));
  });

  it('a shortened run ends the same when it was interrupted and resumed', async () => {
    const evaluate: TrainOptions['evaluate'] = async (engine) => ({ monitored: 0, scalars: { first: (await engine.predict(batchOf(9, 0)))[0]! } });
    const whole = await trainModel(options('a', { evaluate, budget: 0.25 }));
    const controller = new AbortController();
    async function* interrupted(epoch: number, from: number): AsyncIterable<Batch> {
      let index = from;
      for await (const batch of batchesOf(epoch, from)) {
        index += 1;
        if (index === 4) controller.abort();
        yield batch;
      }
    }
    await expect(trainModel(options('b', { evaluate, budget: 0.25, trainBatches: interrupted, signal: controller.signal }))).rejects.toThrow(/interrupted after step 3/);
    const resumed = await trainModel(options('b', { evaluate, budget: 0.25, resume: true }));
    expect(resumed).toEqual({ ...whole, checkpoint: resumed.checkpoint, engineBusy: resumed.engineBusy });
    expect(hashFolder(resumed.checkpoint)).toEqual(hashFolder(whole.checkpoint));
  });

  it('keeps the best step and stops when patience ends', async () => {
    const values = [0.5, 0.6, 0.55, 0.58, 0.9];
    let call = 0;
    const evaluate: TrainOptions['evaluate'] = async (engine) => {
      await engine.predict(batchOf(9, 0));
      call += 1;
      return { monitored: values[call - 1]!, scalars: { auc: values[call - 1]! } };
    };
    const training = { ...options('a').training, epochs: 5, earlyStopping: { metric: 'auc' as const, task: 'click', patience: 2 } };
    const result = await trainModel(options('a', { training, evaluate }));
    expect(result).toMatchObject({ best: { step: 2 * BATCHES, value: 0.6 }, stoppedEarly: true, steps: 4 * BATCHES });
    expect(result.curves.map(({ step }) => step)).toEqual([1, 2, 3, 4].map((epoch) => epoch * BATCHES));
    expect(openCheckpoint(result.checkpoint).step).toBe(2 * BATCHES);
    expect(readFileSync(join(parent, 'a', 'metrics.jsonl'), 'utf8')).toContain(`{"step":${2 * BATCHES},"validation/auc":0.6}`);
  });

  it('stops at a loss that is not finite and writes what led there', async () => {
    async function* poisoned(epoch: number, from: number): AsyncIterable<Batch> {
      let index = from;
      for await (const batch of batchesOf(epoch, from)) {
        if (index === 5) (batch.requestColumns.get('age') as { values: Float32Array }).values[2] = Infinity;
        index += 1;
        yield batch;
      }
    }
    const error = await trainModel(options('a', { trainBatches: poisoned })).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(NonFiniteLossError);
    expect((error as NonFiniteLossError).message).toMatch(/^step 6 \(epoch 0, batch 5\): loss /);
    expect((error as NonFiniteLossError).fix).toContain('training.learningRate');
    const report = JSON.parse(readFileSync(join(parent, 'a', 'failure.json'), 'utf8')) as { step: number; batch: number; dense: { column: string; notFinite: number }[] };
    expect(report).toMatchObject({ step: 6, epoch: 0, batch: 5 });
    expect(report.dense.find(({ column }) => column === 'age')!.notFinite).toBe(1);
    expect(existsSync(join(parent, 'a', 'checkpoint'))).toBe(false);
  });

  it('says when there is nothing to train on', async () => {
    async function* none(): AsyncIterable<Batch> {
      // No batch: the surfaces have no rows in the training split.
    }
    await expect(trainModel(options('a', { trainBatches: none, candidatesPerEpoch: 0 }))).rejects.toThrow(/nothing to train toy on/);
  });
});
