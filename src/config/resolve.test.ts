import { availableParallelism, totalmem } from 'node:os';
import { describe, expect, test } from 'vitest';
import { defineConfig } from './define-config.js';
import { ConfigError, UsageError } from './errors.js';
import type { ProjectConfig } from './project.js';
import { resolveProject } from './resolve.js';

const base: ProjectConfig = {
  name: 'shop',
  surfaces: { home: { source: { files: 'home/*.parquet' } }, search: { source: { sql: 'from search' } } },
  features: { ad_id: { kind: 'categorical', side: 'candidate' } },
  tasks: { click: { label: 'clicked' } },
};
const at = { file: '/projects/shop/onefold.config.ts' };

describe('defaults', () => {
  const project = resolveProject(base, at);

  test('project', () => {
    expect(project).toMatchObject({
      name: 'shop',
      file: '/projects/shop/onefold.config.ts',
      directory: '/projects/shop',
      workspace: '/projects/shop/.onefold',
      split: { validation: 0.1, test: 0.1 },
      data: { badRows: 'fail', shardCandidates: 500_000, truth: {} },
    });
    const gigabytes = Number(/^(\d+)GB$/.exec(project.data.memoryLimit)![1]);
    expect(gigabytes).toBeLessThanOrEqual(8);
    expect(gigabytes).toBeLessThanOrEqual(Math.max(1, totalmem() / 2e9));
  });

  test('surfaces and tasks', () => {
    expect(project.surfaces).toEqual([
      {
        name: 'home',
        source: { files: 'home/*.parquet' },
        where: undefined,
        keys: { request: 'request_id', user: 'user_id', time: 'time', timeUnit: 'ms' },
        viewType: undefined,
        viewTypes: undefined,
        negativeSampling: undefined,
      },
      expect.objectContaining({ name: 'search', source: { sql: 'from search' } }),
    ]);
    expect(project.tasks).toEqual([
      { name: 'click', weight: 1, surfaces: ['home', 'search'], labels: { home: 'clicked', search: 'clicked' } },
    ]);
  });

  test('models', () => {
    expect(Object.keys(project.models)).toEqual(['separate', 'unified', 'full', 'linear']);
    expect(project.models.full).toMatchObject({ preset: 'unified', transformer: undefined, projection: undefined, experts: { count: 4, kind: 'mlp', hidden: [64], rank: 16 }, lateFusion: true });
    expect(project.models.unified).toEqual({
      name: 'unified',
      preset: 'unified',
      embeddingWidth: 16,
      cross: { layers: 2, rank: undefined },
      mlp: [128, 64],
      tower: [32],
      dropout: 0,
      transformer: undefined,
      projection: undefined,
      experts: undefined,
      lateFusion: false,
      taskWeighting: 'fixed',
      training: {
        seed: 1,
        batchSize: 2048,
        batchRequests: Infinity,
        batchTokens: undefined,
        expand: false,
        epochs: 1,
        learningRate: 1e-3,
        embeddingLearningRate: 0.05,
        embeddingOptimizer: 'adagrad',
        optimizer: 'adamw',
        warmupSteps: 100,
        decay: 'cosine',
        finalLearningRate: 0.1,
        weightDecay: 0,
        embeddingWeightDecay: 0,
        clipNorm: 10,
        earlyStopping: undefined,
        evaluationsPerEpoch: 1,
        checkpointMinutes: 10,
        threads: Math.min(8, availableParallelism()),
      },
    });
  });

  test('features of every kind', () => {
    const { features } = resolveProject(
      {
        ...base,
        features: {
          ad: { kind: 'categorical', side: 'candidate' },
          topics: { kind: 'multi', side: 'candidate' },
          age: { kind: 'number', side: 'request' },
          price: { kind: 'number', side: 'candidate', encoding: { type: 'quantile' } },
          image: { kind: 'vector', side: 'candidate', size: 4 },
          history: { kind: 'sequence', length: 20, fields: { ad: {}, gap: { kind: 'time_gap' } }, events: { source: { files: 'e.csv' } } },
          recent: { kind: 'sequence', length: 5, fields: { ad: { column: 'recent_ads', table: 'ad' } } },
        },
      },
      at,
    );
    const column = (name: string) => ({
      name,
      surfaces: ['home', 'search'],
      columns: { home: name, search: name },
      units: { home: undefined, search: undefined },
      vocabularies: { home: undefined, search: undefined },
      trainingOnly: undefined,
    });
    const vocabulary = { type: 'vocabulary', minCount: 2 };
    expect(features).toEqual([
      { kind: 'categorical', side: 'candidate', ...column('ad'), table: 'ad', encoding: vocabulary, width: undefined },
      { kind: 'multi', side: 'candidate', ...column('topics'), table: 'topics', encoding: vocabulary, width: undefined, pooling: 'mean', maxLength: 50 },
      { kind: 'number', side: 'request', ...column('age'), encoding: { type: 'standard' }, table: 'age', width: undefined },
      { kind: 'number', side: 'candidate', ...column('price'), encoding: { type: 'quantile', quantiles: 100 }, table: 'price', width: undefined },
      { kind: 'vector', side: 'candidate', ...column('image'), size: 4 },
      {
        kind: 'sequence',
        name: 'history',
        side: 'request',
        surfaces: ['home', 'search'],
        length: 20,
        pooling: 'mean',
        fields: [
          { kind: 'id', name: 'ad', column: 'ad', table: 'history.ad', encoding: vocabulary, width: undefined },
          { kind: 'time_gap', name: 'gap', table: 'history.gap', width: undefined },
        ],
        events: { source: { files: 'e.csv' }, where: undefined, user: 'user_id', time: 'time', timeUnit: 'ms' },
        time: undefined,
        timeUnit: 'ms',
      },
      expect.objectContaining({
        name: 'recent',
        fields: [{ kind: 'id', name: 'ad', column: 'recent_ads', table: 'ad', encoding: vocabulary, width: undefined }],
        events: undefined,
      }),
    ]);
  });
});

describe('what is declared', () => {
  test('keys: of the surface, else of the project, else the default', () => {
    const { surfaces } = resolveProject(
      {
        ...base,
        keys: { user: 'uid', timeUnit: 's' },
        surfaces: { home: { source: { sql: 'x' }, keys: { user: 'visitor' } }, search: { source: { sql: 'x' } } },
      },
      at,
    );
    expect(surfaces.map((surface) => surface.keys)).toEqual([
      { request: 'request_id', user: 'visitor', time: 'time', timeUnit: 's' },
      { request: 'request_id', user: 'uid', time: 'time', timeUnit: 's' },
    ]);
  });

  test('surfaces of features and tasks stand in surface order', () => {
    const { features, tasks } = resolveProject(
      {
        ...base,
        features: {
          ad: {
            kind: 'number',
            side: 'candidate',
            surfaces: ['search', 'home'],
            column: 'price',
            unit: 'cent',
            on: { search: { column: 'price * 100', unit: 'ct', vocabulary: 'v' } },
          },
        },
        tasks: { click: { label: 'a', on: { search: { label: 'b' } } }, like: { label: 'c', surfaces: ['search'], weight: 2 } },
      },
      at,
    );
    expect(features[0]).toMatchObject({
      surfaces: ['home', 'search'],
      columns: { home: 'price', search: 'price * 100' },
      units: { home: 'cent', search: 'ct' },
      vocabularies: { home: undefined, search: 'v' },
    });
    expect(tasks).toEqual([
      { name: 'click', weight: 1, surfaces: ['home', 'search'], labels: { home: 'a', search: 'b' } },
      { name: 'like', weight: 2, surfaces: ['search'], labels: { search: 'c' } },
    ]);
  });

  test('a shared table takes encoding and width from whichever feature declares them', () => {
    const { features } = resolveProject(
      {
        ...base,
        features: {
          last_ad: { kind: 'categorical', side: 'request', table: 'ad' },
          ad: { kind: 'categorical', side: 'candidate', encoding: { type: 'hash', buckets: 100 }, width: 8 },
        },
      },
      at,
    );
    const table = { table: 'ad', encoding: { type: 'hash', buckets: 100 }, width: 8 };
    expect(features).toEqual([expect.objectContaining({ name: 'last_ad', ...table }), expect.objectContaining({ name: 'ad', ...table })]);
  });

  test('training of a model is the project’s with its own options over it', () => {
    const { models } = resolveProject(
      {
        ...base,
        tasks: { click: { label: 'c' }, like: { label: 'l' } },
        training: { epochs: 3, learningRate: 0.01, earlyStopping: {}, threads: 1 },
        models: {
          one: { preset: 'unified', embedding: { width: 8 }, cross: { rank: 4 }, training: { epochs: 5, learningRate: undefined } },
          two: { preset: 'linear', training: { earlyStopping: false } },
          three: { preset: 'separate', training: { earlyStopping: { metric: 'gauc', task: 'like', patience: 1 } } },
        },
      },
      at,
    );
    expect(Object.keys(models)).toEqual(['one', 'two', 'three']);
    expect(models.one).toMatchObject({ embeddingWidth: 8, cross: { layers: 2, rank: 4 } });
    expect(models.one!.training).toMatchObject({ epochs: 5, learningRate: 0.01, threads: 1, batchSize: 2048 });
    expect(models.one!.training.earlyStopping).toEqual({ metric: 'logLoss', task: 'click', patience: 2 });
    expect(models.two!.training).toMatchObject({ epochs: 3, earlyStopping: undefined });
    expect(models.three!.training.earlyStopping).toEqual({ metric: 'gauc', task: 'like', patience: 1 });
  });

  test("a model's modules, with their defaults", () => {
    const features = { ...base.features, history: { kind: 'sequence', length: 3, fields: { ad: {} } } } as const;
    const { models } = resolveProject(
      { ...base, features, models: { full: { preset: 'unified', dropout: 0.1, transformer: { width: 32 }, projection: { rank: 4 }, experts: { kind: 'cross' } } } },
      at,
    );
    expect(models.full).toMatchObject({
      transformer: { sequences: undefined, layers: 2, width: 32, heads: 2, feedForward: 64, attention: 'causal', positions: 'learned', read: 'both', pooled: true, dropout: 0.1 },
      projection: { width: 32, layers: 1, rank: 4, experts: 1 },
      experts: { count: 4, kind: 'cross', hidden: [64], rank: 16 },
    });
    expect(resolveProject({ ...base, features }, at).models.full).toMatchObject({ transformer: { width: 64 }, projection: { width: 32 } });
  });

  test('moments become epoch milliseconds', () => {
    const split = { from: 0, validationFrom: '2025-01-01', testFrom: '2025-01-02T00:00:00+01:00' };
    expect(resolveProject({ ...base, split }, at).split).toEqual({
      from: 0,
      validationFrom: Date.UTC(2025, 0, 1),
      testFrom: Date.UTC(2025, 0, 1, 23),
    });
  });

  test('workspace and truth', () => {
    const project = resolveProject({ ...base, workspace: '../out', data: { truth: { click: 'p' }, memoryLimit: '2GB' } }, at);
    expect(project.workspace).toBe('/projects/out');
    expect(project.data).toMatchObject({ truth: { click: 'p' }, memoryLimit: '2GB' });
  });
});

describe('the function form', () => {
  const config = defineConfig(({ data, directory }) => ({ ...base, name: `${data} ${directory}` }));

  test('gets the folders', () => {
    expect(resolveProject(config, { ...at, data: '/logs' }).name).toBe('/logs /projects/shop');
  });

  test('that reads data without --data says so', () => {
    expect(() => resolveProject(config, at)).toThrow(UsageError);
    expect(() => resolveProject(config, at)).toThrow(/reads from a data folder/);
    expect(resolveProject((environment) => ({ ...base, name: environment.directory }), at).name).toBe('/projects/shop');
  });

  test('that throws is a problem of the config', () => {
    const broken = () => {
      throw new TypeError('no such thing');
    };
    expect(() => resolveProject(broken, at)).toThrow(ConfigError);
    expect(() => resolveProject(broken, at)).toThrow(/the config function threw: no such thing/);
  });
});

test('an invalid config is one error', () => {
  expect(() => resolveProject({ ...base, features: {} }, at)).toThrow(ConfigError);
});
