import { describe, expect, test } from 'vitest';
import type { ModelConfig, ProjectConfig } from './project.js';
import { resolveProject } from './resolve.js';
import { layerOptions } from './resolve-unify.js';
import { CALIBRATION_METHODS, MODEL_STAGES, STAGES, type UnifyConfig, type UnifyPlan } from './unify-plan.js';

const base: ProjectConfig = {
  name: 'shop',
  surfaces: { home: { source: { files: 'h' } }, search: { source: { files: 's' } } },
  features: { ad: { kind: 'categorical', side: 'candidate' }, history: { kind: 'sequence', length: 10, fields: { ad: {} } } },
  tasks: { click: { label: 'clicked' }, save: { label: 'saved' } },
};

const planOf = (unify?: UnifyConfig, more: Partial<ProjectConfig> = {}): UnifyPlan => resolveProject({ ...base, ...more, ...(unify === undefined ? {} : { unify }) }, { file: '/shop/onefold.config.ts' }).unify!;

describe('defaults', () => {
  const plan = planOf();

  test('a model per surface, then one that grows', () => {
    expect(Object.keys(plan.separate)).toEqual(['home', 'search']);
    expect(plan.separate['home']).toMatchObject({ preset: 'separate', mlp: [128, 64], tower: [32], transformer: undefined, experts: undefined, lateFusion: false });
    const { models } = plan;
    expect(Object.keys(models)).toEqual([...MODEL_STAGES]);
    expect(models.baseline).toMatchObject({ name: 'baseline', preset: 'unified', tower: [], transformer: undefined, experts: undefined, projection: undefined, lateFusion: false });
    expect(models['shared-learning']).toEqual({ ...models.baseline, name: 'shared-learning', transformer: expect.objectContaining({ layers: 2, width: 64 }) as unknown, experts: { count: 4, kind: 'mlp', hidden: [64], rank: 16 } });
    expect(models.efficiency).toEqual({ ...models['shared-learning'], name: 'efficiency', projection: { width: 32, layers: 1, experts: 1, rank: undefined } });
    expect(models['surface-aware']).toEqual({ ...models.efficiency, name: 'surface-aware', tower: [32] });
  });

  test('without a sequence there is no Transformer and nothing to project', () => {
    for (const plain of [planOf({}, { features: { ad: base.features['ad']! } }), planOf({ baseline: { features: ['ad'] } })]) {
      expect(plain.models['shared-learning']).toMatchObject({ transformer: undefined, experts: { count: 4 } });
      expect(plain.models['surface-aware']).toMatchObject({ transformer: undefined, projection: undefined });
    }
  });

  test('limits that tighten with the stages', () => {
    expect(Object.keys(plan.gates)).toEqual([...STAGES]);
    const quality = { metric: 'auc', margin: 0.002, tasks: ['click', 'save'] };
    const none = { gain: false, calibration: undefined, trainingCost: undefined, latency: undefined, size: undefined };
    for (const stage of ['separate', 'profile', 'baseline', 'shared-learning'] as const) expect(plan.gates[stage]).toEqual({ quality, ...none });
    for (const stage of ['efficiency', 'surface-aware'] as const) expect(plan.gates[stage]).toEqual({ quality, ...none, trainingCost: 1, latency: 3, size: 1 });
    for (const stage of ['calibration', 'expand', 'export'] as const) expect(plan.gates[stage]).toEqual({ quality, gain: false, calibration: { within: 0.1 }, trainingCost: 1, latency: 3, size: 1 });
  });

  test('the rest', () => {
    expect(plan).toMatchObject({
      order: undefined,
      similarity: 0.7,
      sweep: { trials: 1, method: 'random', seed: 1, stages: ['baseline'] },
      calibration: { methods: CALIBRATION_METHODS, folds: 5 },
      export: { tables: 'fp32', dense: 'fp32' },
      report: { leaveOneOut: true, importanceRows: 20_000 },
    });
  });

  test('a sweep tries what is around the declared settings, which are among them', () => {
    const { settings } = planOf({}, { training: { learningRate: 0.004, weightDecay: 0.03 }, models: { unified: { preset: 'unified', dropout: 0.3 } } }).sweep;
    expect(settings).toEqual({
      'training.learningRate': [0.002, 0.004, 0.008],
      'training.embeddingLearningRate': [0.025, 0.05, 0.1],
      dropout: [0.3, 0, 0.1, 0.2],
      'training.weightDecay': [0.03, 0, 0.01],
      'training.embeddingWeightDecay': [0, 1e-5],
    });
    expect(planOf({ sweep: { settings: { dropout: [0.5] } } }).sweep.settings).toEqual({ dropout: [0.5] });
  });
});

describe('layers', () => {
  test('a stage has what the stages before it declare', () => {
    const { models } = planOf({
      baseline: { mlp: [8], cross: { layers: 1 } },
      sharedLearning: { transformer: { width: 16 }, cross: { rank: 4 } },
      efficiency: { transformer: { read: 'newest' } },
      surfaceAware: { mlp: [4], tower: [2] },
    });
    expect(models.baseline).toMatchObject({ mlp: [8], cross: { layers: 1, rank: undefined }, transformer: undefined });
    expect(models['shared-learning']).toMatchObject({ mlp: [8], cross: { layers: 1, rank: 4 }, transformer: { width: 16, feedForward: 32, read: 'both' }, experts: undefined });
    // What is declared stands in place of the stage's default, which would add a projection.
    expect(models.efficiency).toMatchObject({ transformer: { width: 16, read: 'newest' }, projection: undefined });
    expect(models['surface-aware']).toMatchObject({ mlp: [4], tower: [2], lateFusion: false, transformer: { read: 'newest' } });
  });

  test("a baseline starts from the model `unified`, less what later stages add, and keeps the project's training", () => {
    const unified: ModelConfig = { preset: 'unified', mlp: [9], tower: [7], embedding: { width: 3 }, experts: {}, transformer: {}, projection: {}, lateFusion: true, training: { epochs: 4 } };
    const { models } = planOf({ baseline: { training: { learningRate: 0.5 } } }, { models: { unified }, training: { batchSize: 7, epochs: 2 } });
    expect(models.baseline).toMatchObject({ mlp: [9], tower: [], embeddingWidth: 3, experts: undefined, transformer: undefined, projection: undefined, lateFusion: false });
    expect(models.baseline.training).toMatchObject({ batchSize: 7, epochs: 4, learningRate: 0.5 });
  });

  test("a surface's own model has the options of all, and its own over them", () => {
    const { separate } = planOf(
      { separate: { mlp: [16], features: ['ad'], on: { search: { mlp: [4], training: { epochs: 3 } } } } },
      { models: { separate: { preset: 'separate', tower: [5], training: { batchSize: 9 } } } },
    );
    expect(separate['home']).toMatchObject({ name: 'separate', preset: 'separate', mlp: [16], tower: [5], features: ['ad'], training: { epochs: 1, batchSize: 9 } });
    expect(separate['search']).toMatchObject({ mlp: [4], tower: [5], features: ['ad'], training: { epochs: 3, batchSize: 9 } });
  });

  test('objects merge, lists and values replace, undefined hides nothing', () => {
    const under = { mlp: [1, 2], cross: { layers: 1 }, dropout: 0.1, transformer: { width: 8, heads: 2 } };
    expect(layerOptions(under, { mlp: [3], cross: { rank: 2 }, dropout: undefined as never, transformer: { heads: 4 }, experts: {} })).toEqual({ mlp: [3], cross: { layers: 1, rank: 2 }, dropout: 0.1, transformer: { width: 8, heads: 4 }, experts: {} });
    expect(layerOptions(under, undefined)).toEqual(under);
    expect(under.cross).toEqual({ layers: 1 });
  });
});

describe('gates', () => {
  test("a stage's own limits stand over those of all, which stand over the defaults", () => {
    const { gates } = planOf({
      gates: { quality: { margin: 0.01 }, latency: 2, calibration: false, stages: { baseline: { quality: { metric: 'ne', tasks: ['save'] }, size: 0.5 }, expand: { quality: false, gain: true, calibration: {}, trainingCost: false, latency: false } } },
    });
    expect(gates['shared-learning']).toEqual({ quality: { metric: 'auc', margin: 0.01, tasks: ['click', 'save'] }, gain: false, calibration: undefined, trainingCost: undefined, latency: 2, size: undefined });
    expect(gates.baseline).toMatchObject({ quality: { metric: 'ne', margin: 0.002, tasks: ['save'] }, latency: 2, size: 0.5 });
    expect(gates.expand).toEqual({ quality: undefined, gain: true, calibration: { within: 0.1 }, trainingCost: undefined, latency: undefined, size: 1 });
    expect(gates.export).toMatchObject({ calibration: undefined, trainingCost: 1, latency: 2, size: 1 });
  });

  test('calibration that is declared is looked at from the first stage on', () => {
    expect(planOf({ gates: { calibration: { within: 0.2 } } }).gates.baseline.calibration).toEqual({ within: 0.2 });
  });
});
