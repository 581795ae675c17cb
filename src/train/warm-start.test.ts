/** A second day of training: what it takes over from the first, row by row. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TOY_TRAINING, toyBatch, toyGraph, TOY_LAYOUT, TOY_ROWS } from '../../test/support/toy-problem.js';
import type { TableState } from '../data/encoder-state.js';
import type { Training } from '../config/project.js';
import type { ModelLayout } from '../model/layout.js';
import type { ModelGraph } from '../model/model-graph.js';
import { openCheckpoint, writeCheckpoints } from './checkpoint.js';
import type { CheckpointContents } from './checkpoint-snapshot.js';
import { EngineCore } from './engine-core.js';
import { makeFeeds } from './feeds.js';
import { elementCount } from './named-tensor.js';
import { buildScoreModel, buildTrainModel } from './step-graph.js';
import { writeVocabulary, type Vocabulary } from './vocabulary.js';
import { planTableStarts, type WarmStart } from './warm-start.js';

const values = (name: string, all: readonly string[]): TableState => ({ type: 'vocabulary', name, rows: 3 + all.length, values: all });
const users = Array.from({ length: TOY_ROWS.user - 3 }, (_, i) => `u${i}`);
const items = Array.from({ length: TOY_ROWS.item - 3 }, (_, i) => `i${i}`);
const shared = [values('tags', ['x', 'y', 'z']), values('topics', ['p', 'q', 'r', 's']), values('words', ['v', 'w'])];
const names = { surfaces: ['home', 'search', 'related'], viewTypes: [''] };
const DAY_1: Vocabulary = { ...names, tables: [...shared, values('user', users), values('item', items)] };
/** Users in another order, five items gone, seven new. */
const itemsOfDay2 = [...Array.from({ length: 7 }, (_, i) => `n${i}`), ...items.slice(5)];
const DAY_2: Vocabulary = { ...names, tables: [...shared, values('user', [...users].reverse()), values('item', itemsOfDay2)] };

/** The toy model with two more items. */
const grownGraph = (): ModelGraph => {
  const graph = toyGraph();
  const layout: ModelLayout = {
    ...TOY_LAYOUT,
    fusedTables: [TOY_LAYOUT.fusedTables[0]!, { width: 4, rows: 55, tables: [{ name: '@surface', base: 0, rows: 3 }, { name: 'user', base: 3, rows: 20 }, { name: 'item', base: 23, rows: 32 }] }],
    blocks: TOY_LAYOUT.blocks.map((block) => ({ ...block, slots: block.slots.map((slot) => (slot.column === 'item' ? { ...slot, rows: 32 } : slot)) })),
  };
  return { ...graph, layout };
};

const TRAINING: Training = { ...TOY_TRAINING, embeddingOptimizer: 'adam', embeddingLearningRate: 0.01 };

const createCore = (graph: ModelGraph, training: Training = TRAINING): Promise<EngineCore> =>
  EngineCore.create({
    layout: graph.layout, parameters: graph.parameters.map(({ spec }) => spec), score: buildScoreModel(graph), train: buildTrainModel(graph), seed: 7, threads: 1, optimizer: training,
  });

const train = async (core: EngineCore, seed: number): Promise<number> => {
  const result = await core.train(makeFeeds(toyBatch(seed), { layout: TOY_LAYOUT, taskIndices: [0, 2], segments: true }, true), TRAINING);
  if ('failure' in result) throw new Error('the step failed');
  return result.loss;
};

const read = (contents: CheckpointContents, name: string): Float32Array => {
  const tensor = Object.values(contents).flat().find((one) => one.name === name)!;
  const all = new Float32Array(elementCount(tensor));
  tensor.read(0, all);
  return all;
};

const rowOf = (contents: CheckpointContents, part: string, row: number): number[] => [...read(contents, `table.4.${part}`).subarray(row * 4, row * 4 + 4)];

const FIRST_ITEM = 23 + 3;
const FIRST_USER = 3 + 3;

describe('a run started from an older one', () => {
  let parent: string;
  let directory: string;
  let dayOne: EngineCore;
  let dayTwo: EngineCore;
  let fresh: EngineCore;
  let report: WarmStart;
  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'onefold-warm-'));
    directory = join(parent, 'checkpoint');
    dayOne = await createCore(toyGraph());
    for (let step = 0; step < 60; step += 1) await train(dayOne, step);
    const vocabulary = join(parent, 'vocabulary.json');
    writeVocabulary(vocabulary, DAY_1);
    const identity = { model: 'toy', configHash: '', seed: 7, epoch: 1, progress: null, vocabulary };
    writeCheckpoints(dayOne.targets([{ directory, identity }]), dayOne.contents());
    const graph = grownGraph();
    dayTwo = await createCore(graph);
    fresh = await createCore(graph);
    report = dayTwo.start(directory, planTableStarts(directory, graph.layout, DAY_2));
  });
  afterAll(() => {
    rmSync(parent, { recursive: true });
  });

  it('says what it kept, what is new and what expired', () => {
    expect(report).toEqual({
      model: 'toy',
      step: 60,
      files: openCheckpoint(directory).files,
      parameters: { kept: 6, new: [] },
      tables: [
        { table: 'tags', width: 2, kept: 6, new: 0, expired: 0 },
        { table: 'topics', width: 2, kept: 7, new: 0, expired: 0 },
        { table: 'words', width: 2, kept: 5, new: 0, expired: 0 },
        { table: '@surface', width: 4, kept: 3, new: 0, expired: 0 },
        { table: 'user', width: 4, kept: 20, new: 0, expired: 0 },
        { table: 'item', width: 4, kept: 25, new: 7, expired: 5 },
      ],
    });
  });

  it.each(['weights', 'first', 'second'])('has the rows of values that stayed, bit for bit: %s', (part) => {
    const [before, after, initial] = [dayOne.contents(), dayTwo.contents(), fresh.contents()];
    users.forEach((_, index) => {
      expect(rowOf(after, part, FIRST_USER + users.length - 1 - index)).toEqual(rowOf(before, part, FIRST_USER + index));
    });
    itemsOfDay2.forEach((item, index) => {
      const older = items.indexOf(item);
      const expected = older < 0 ? rowOf(initial, part, FIRST_ITEM + index) : rowOf(before, part, FIRST_ITEM + older);
      expect(rowOf(after, part, FIRST_ITEM + index)).toEqual(expected);
    });
    // Absent, missing and unknown stay where they are.
    for (let row = 23; row < FIRST_ITEM; row += 1) expect(rowOf(after, part, row)).toEqual(rowOf(before, part, row));
  });

  it('has the dense parameters and moments', () => {
    const [before, after] = [dayOne.contents(), dayTwo.contents()];
    for (const file of ['dense.safetensors', 'optimizer.safetensors'] as const) {
      for (const { name } of before[file]) expect(read(after, name)).toEqual(read(before, name));
    }
    expect(read(before, 'first.hidden.weight').some((value) => value !== 0)).toBe(true);
    expect(dayTwo.targets([{ directory, identity: { model: '', configHash: '', seed: 7, epoch: 0, progress: null } }])[0]!.manifest).toMatchObject({ step: 0, stepsBefore: 60 });
  });

  it('knows what the first day learned', async () => {
    const same = await createCore(toyGraph());
    same.start(directory, planTableStarts(directory, TOY_LAYOUT, DAY_1));
    // Moments are as old as they are: the next step is the one that the older run would have made.
    expect(await train(same, 77)).toBe(await train(dayOne, 77));
    expect(read(same.contents(), 'hidden.weight')).toEqual(read(dayOne.contents(), 'hidden.weight'));
    expect(read(same.contents(), 'table.4.weights')).toEqual(read(dayOne.contents(), 'table.4.weights'));
    expect(await train(same, 78)).toBeLessThan((await train(fresh, 78)) - 0.05);
  });

  it('starts parameters of another shape and state of another optimizer anew', async () => {
    const graph = toyGraph();
    const [first, ...others] = graph.parameters;
    const renamed: ModelGraph = { ...graph, parameters: [{ ...first!, spec: { ...first!.spec, shape: [6, 23] } }, ...others] };
    const core = await createCore(renamed, { ...TRAINING, embeddingOptimizer: 'adagrad' });
    const started = core.start(directory, planTableStarts(directory, TOY_LAYOUT, DAY_1));
    expect(started.parameters).toEqual({ kept: 5, new: ['hidden.weight'] });
    expect(read(core.contents(), 'table.4.accumulators').every((value) => value === 0)).toBe(true);
  });

  it('needs to know what the rows stood for', () => {
    const bare = join(parent, 'bare');
    const identity = { model: 'toy', configHash: '', seed: 7, epoch: 1, progress: null };
    writeCheckpoints(dayOne.targets([{ directory: bare, identity }]), dayOne.contents());
    expect(() => planTableStarts(bare, TOY_LAYOUT, DAY_1)).toThrow(/vocabulary.json is missing/);
    writeFileSync(join(directory, 'vocabulary.json'), '{}');
    expect(() => planTableStarts(directory, TOY_LAYOUT, DAY_1)).toThrow(/torn checkpoint: .*vocabulary.json/);
  });
});
