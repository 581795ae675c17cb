import { describe, expect, test } from 'vitest';
import { ConfigError } from './errors.js';
import type { FeatureConfig, SurfaceConfig, TaskConfig } from './project.js';
import { configIssues, validateConfig } from './validate.js';

const base = {
  name: 'shop',
  surfaces: { home: { source: { files: 'home/*.parquet' } }, search: { source: { sql: 'from search' } } },
  features: { ad_id: { kind: 'categorical', side: 'candidate' } },
  tasks: { click: { label: 'clicked' } },
};

const withFeature = (feature: FeatureConfig | Record<string, unknown>, name = 'f') => ({
  ...base,
  features: { ...base.features, [name]: feature },
});
const withSurface = (surface: Partial<SurfaceConfig> | Record<string, unknown>) => ({
  ...base,
  surfaces: { ...base.surfaces, home: { ...base.surfaces.home, ...surface } },
});
const withTask = (task: TaskConfig | Record<string, unknown>) => ({ ...base, tasks: { ...base.tasks, like: task } });
const sequence = (rest: Record<string, unknown>) => withFeature({ kind: 'sequence', length: 10, fields: { ad: {} }, ...rest });
const gap = { ad: {}, gap: { kind: 'time_gap' } };
const events = { source: { files: 'events.parquet' } };

/** What is wrong, the config, and the one issue it must give: path, part of its message, part of its fix. */
type Case = readonly [what: string, config: unknown, path: string, message: string, fix: string];

const shape: readonly Case[] = [
  ['not an object', 3, '(root)', 'is 3', 'set (root) to an object'],
  ['no name', { ...base, name: undefined }, 'name', 'is missing', 'add name'],
  ['blank name', { ...base, name: ' ' }, 'name', 'is " "', 'set name to the name of the project'],
  ['unknown option', { ...base, trainig: {} }, 'trainig', 'unknown option "trainig"', 'did you mean "training"?'],
  ['unknown option, nothing near', { ...base, zzz: 1 }, 'zzz', 'unknown option "zzz"', 'remove it'],
  ['unknown option of a surface', withSurface({ viewtype: 'x' }), 'surfaces.home.viewtype', 'unknown option', '"viewType"'],
  ['unknown option of a source', withSurface({ source: { fils: 'x' } }), 'surfaces.home.source.fils', 'unknown option', '"files"'],
  ['unknown option of a feature', withFeature({ kind: 'number', side: 'request', colum: 'x' }), 'features.f.colum', 'unknown option', '"column"'],
  ['kind', withFeature({ kind: 'numbr', side: 'request' }), 'features.f.kind', 'is "numbr"', 'did you mean "number"?'],
  ['no kind', withFeature({ side: 'request' }), 'features.f.kind', 'is missing', 'add features.f.kind'],
  ['side', withFeature({ kind: 'number', side: 'user' }), 'features.f.side', 'is "user"', 'use "request" or "candidate"'],
  ['encoding', withFeature({ kind: 'number', side: 'request', encoding: { type: 'logg' } }), 'features.f.encoding.type', 'is "logg"', '"log"'],
  ['encoding of another kind', withFeature({ kind: 'categorical', side: 'request', encoding: { type: 'log' } }), 'features.f.encoding.type', 'is "log"', '"vocabulary" or "hash"'],
  ['width', withFeature({ kind: 'categorical', side: 'request', width: 0 }), 'features.f.width', 'is 0', 'a whole number ≥ 1'],
  ['width of a field', sequence({ fields: { ad: { width: -1 } } }), 'features.f.fields.ad.width', 'is -1', 'a whole number ≥ 1'],
  ['size', withFeature({ kind: 'vector', side: 'request', size: 1.5 }), 'features.f.size', 'is 1.5', 'a whole number ≥ 1'],
  ['length', sequence({ length: 0 }), 'features.f.length', 'is 0', 'how many events are kept'],
  ['trainingOnly of a sequence', sequence({ trainingOnly: { serveAs: 1 } }), 'features.f.trainingOnly', 'unknown option', 'remove it'],
  ['candidate-side sequence', sequence({ side: 'candidate' }), 'features.f.side', 'is "candidate"', '"request"'],
  ['no surfaces', withFeature({ kind: 'number', side: 'request', surfaces: [] }), 'features.f.surfaces', 'an empty list', 'at least one surface'],
  ['rate above 1', withSurface({ negativeSampling: { task: 'click', rate: 1.5 } }), 'surfaces.home.negativeSampling.rate', 'is 1.5', 'above 0 and at most 1'],
  ['rate 0', withSurface({ negativeSampling: { task: 'click', rate: 0 } }), 'surfaces.home.negativeSampling.rate', 'is 0', 'above 0 and at most 1'],
  ['weight', withTask({ label: 'l', weight: 0 }), 'tasks.like.weight', 'is 0', 'a number above 0'],
  ['layer', { ...base, models: { m: { preset: 'unified', mlp: [64, 0] } } }, 'models.m.mlp[1]', 'is 0', 'a whole number ≥ 1'],
  ['preset', { ...base, models: { m: { preset: 'unifed' } } }, 'models.m.preset', 'is "unifed"', 'did you mean "unified"?'],
  ['no models', { ...base, models: {} }, 'models', 'is an object', 'at least one model'],
  ['dropout', { ...base, models: { m: { preset: 'unified', dropout: 1 } } }, 'models.m.dropout', 'is 1', 'below 1'],
  ['NaN', { ...base, training: { learningRate: Number.NaN } }, 'training.learningRate', 'is NaN', 'a number above 0'],
  ['early stopping', { ...base, training: { earlyStopping: { metrc: 'auc' } } }, 'training.earlyStopping.metrc', 'unknown option', '"metric"'],
  ['memory', { ...base, data: { memoryLimit: '4' } }, 'data.memoryLimit', 'is "4"', '"4GB"'],
  ['several files, one blank', withSurface({ source: { files: ['a', ''] } }), 'surfaces.home.source.files[1]', 'is ""', 'a path'],
];

const names: readonly Case[] = [
  ['dot', withFeature({ kind: 'number', side: 'request' }, 'user.age'), 'features["user.age"]', 'has "." in it', 'rename it to "user_age"'],
  ['at', withFeature({ kind: 'number', side: 'request' }, 'a@b'), 'features["a@b"]', 'has "@" in it', '"a_b"'],
  ['slash', withFeature({ kind: 'number', side: 'request' }, 'a/b'), 'features["a/b"]', 'has "/" in it', '"a_b"'],
  ['label.*', withFeature({ kind: 'number', side: 'request' }, 'label.click'), 'features["label.click"]', 'has "." in it', '"label_click"'],
  ...['request_id', 'user_id', 'time', 'surface', 'view_type', 'candidate_offset', 'candidate_count', 'weight', 'Time'].map(
    (name): Case => [`reserved ${name}`, withFeature({ kind: 'number', side: 'request' }, name), `features.${name}`, 'column of every prepared dataset', `"${name}_feature", with column: "${name}"`],
  ),
  ['table', withFeature({ kind: 'categorical', side: 'request', table: 'a.b' }), 'features.f.table', 'has "." in it', '"a_b"'],
  ['field', sequence({ fields: { 'a.b': {} } }), 'features.f.fields["a.b"]', 'has "." in it', '"a_b"'],
  ['case', withFeature({ kind: 'number', side: 'request' }, 'AD_ID'), 'features.AD_ID', 'differ only in case', 'rename one of features.ad_id and features.AD_ID'],
  ['surface', { ...base, surfaces: { ...base.surfaces, 'home/feed': { source: { sql: 'x' } } } }, 'surfaces["home/feed"]', 'cannot name a file', '"surface_home_feed"'],
  ['surface that is a number', { ...base, surfaces: { ...base.surfaces, 1: { source: { sql: 'x' } } } }, 'surfaces.1', 'cannot name a file', '"surface_1"'],
  ['task', { ...base, tasks: { 'a b': { label: 'x' } } }, 'tasks["a b"]', 'cannot name a file', '"task_a_b"'],
  ['model', { ...base, models: { '../x': { preset: 'unified' } } }, 'models["../x"]', 'cannot name a file', 'rename it'],
  ['name of every object', { ...base, tasks: { constructor: { label: 'x' } } }, 'tasks.constructor', 'cannot name a file', 'rename it'],
];

const references: readonly Case[] = [
  ['no surface', { ...base, surfaces: {} }, 'surfaces', 'is empty', 'add one'],
  ['no feature', { ...base, features: {} }, 'features', 'is empty', 'add one'],
  ['no task', { ...base, tasks: {} }, 'tasks', 'is empty', "e.g. tasks: { click: { label: 'clicked' } }"],
  ['feature.surfaces', withFeature({ kind: 'number', side: 'request', surfaces: ['home', 'serach'] }), 'features.f.surfaces[1]', 'unknown surface "serach"', 'did you mean "search"?'],
  ['feature.surfaces twice', withFeature({ kind: 'number', side: 'request', surfaces: ['home', 'home'] }), 'features.f.surfaces[1]', 'listed twice', 'remove one'],
  ['feature.on', withFeature({ kind: 'number', side: 'request', on: { checkout: {} } }), 'features.f.on.checkout', 'unknown surface "checkout"', 'use "home" or "search"'],
  ['feature.on, not its surface', withFeature({ kind: 'number', side: 'request', surfaces: ['home'], on: { search: {} } }), 'features.f.on.search', 'is not one of its surfaces', 'add "search" to its surfaces'],
  ['sequence.surfaces', sequence({ surfaces: ['hme'] }), 'features.f.surfaces[0]', 'unknown surface "hme"', 'did you mean "home"?'],
  ['task.surfaces', withTask({ label: 'l', surfaces: ['hom'] }), 'tasks.like.surfaces[0]', 'unknown surface "hom"', 'did you mean "home"?'],
  ['task.on', withTask({ label: 'l', on: { hom: { label: 'x' } } }), 'tasks.like.on.hom', 'unknown surface "hom"', 'did you mean "home"?'],
  ['negativeSampling.task', withSurface({ negativeSampling: { task: 'clik', rate: 0.1 } }), 'surfaces.home.negativeSampling.task', 'unknown task "clik"', 'did you mean "click"?'],
  ['data.truth', { ...base, data: { truth: { clik: 'p' } } }, 'data.truth.clik', 'unknown task "clik"', 'did you mean "click"?'],
  ['data.outside', { ...base, data: { outside: { clik: 'p' } } }, 'data.outside.clik', 'unknown task "clik"', 'did you mean "click"?'],
  ['training.earlyStopping.task', { ...base, training: { earlyStopping: { task: 'x' } } }, 'training.earlyStopping.task', 'unknown task "x"', 'use "click"'],
  ['model earlyStopping.task', { ...base, models: { m: { preset: 'linear', training: { earlyStopping: { task: 'x' } } } } }, 'models.m.training.earlyStopping.task', 'unknown task "x"', 'use "click"'],
  ['surface without task', { ...base, tasks: { click: { label: 'x', surfaces: ['home'] } } }, 'surfaces.search', 'no task is on surface "search"', 'add "search" to the surfaces of a task'],
  ['surface without feature', { ...base, features: { a: { kind: 'number', side: 'request', surfaces: ['home'] } } }, 'surfaces.search', 'no feature is on surface "search"', 'add "search"'],
  [
    'sampling of a task that is not there',
    { ...withSurface({ negativeSampling: { task: 'like', rate: 0.1 } }), tasks: { ...base.tasks, like: { label: 'l', surfaces: ['search'] } } },
    'surfaces.home.negativeSampling.task',
    'task "like" is not on surface "home"',
    'add "home" to tasks.like.surfaces',
  ],
  [
    'sampling with two tasks',
    { ...withSurface({ negativeSampling: { task: 'click', rate: 0.1 } }), tasks: { ...base.tasks, like: { label: 'l' } } },
    'surfaces.home.negativeSampling',
    'adding log(rate) to the logit of click',
    'remove negativeSampling, or leave only "click" on "home"',
  ],
];

const features: readonly Case[] = [
  ['descending boundaries', withFeature({ kind: 'number', side: 'request', encoding: { type: 'bucket', boundaries: [1, 5, 3] } }), 'features.f.encoding.boundaries[2]', '3 does not exceed the boundary before it, 5', 'set boundaries to [1, 3, 5]'],
  ['equal boundaries', withFeature({ kind: 'number', side: 'request', encoding: { type: 'bucket', boundaries: [1, 1] } }), 'features.f.encoding.boundaries[1]', '1 does not exceed', '[1]'],
  ['boundaries and count', withFeature({ kind: 'number', side: 'request', encoding: { type: 'bucket', boundaries: [1], count: 3 } }), 'features.f.encoding', 'both boundaries and a count', 'remove one'],
  ['bucket of nothing', withFeature({ kind: 'number', side: 'request', encoding: { type: 'bucket' } }), 'features.f.encoding', 'neither boundaries nor a count', 'count: 10'],
  ['width of a plain number', withFeature({ kind: 'number', side: 'request', width: 8 }), 'features.f.width', 'only a bucketed number', 'remove width'],
  ['trainingOnly vector', withFeature({ kind: 'vector', side: 'candidate', size: 4, trainingOnly: { serveAs: 1 } }), 'features.f.trainingOnly', 'a vector feature cannot', 'remove trainingOnly'],
  ['trainingOnly multi', withFeature({ kind: 'multi', side: 'candidate', trainingOnly: { serveAs: 'a' } }), 'features.f.trainingOnly', 'a multi feature cannot', 'remove trainingOnly'],
  ['serveAs text of a number', withFeature({ kind: 'number', side: 'candidate', trainingOnly: { serveAs: '1' } }), 'features.f.trainingOnly.serveAs', 'is the text "1"', 'set serveAs to 1'],
  ['no fields', sequence({ fields: {} }), 'features.f.fields', 'no field', "fields: { ad_id: { table: 'ad_id' } }"],
  ['time gap without times', sequence({ fields: gap }), 'features.f.fields.gap', 'needs the time of every event', 'set features.f.time to the list column'],
  ['time beside events', sequence({ fields: gap, events, time: 'ts' }), 'features.f.time', 'this one has `events`', 'features.f.events.time'],
  ['unit without time', sequence({ timeUnit: 's' }), 'features.f.timeUnit', 'unit of `time`', 'add time, or remove timeUnit'],
  ['time gap option', sequence({ events, fields: { gap: { kind: 'time_gap', table: 'x' } } }), 'features.f.fields.gap.table', 'unknown option', 'remove it'],
];

const share = (first: Record<string, unknown>, second: Record<string, unknown>) => ({
  ...base,
  features: { a: { kind: 'categorical', side: 'candidate', table: 't', ...first }, b: { kind: 'multi', side: 'request', table: 't', ...second } },
});

const tables: readonly Case[] = [
  ['encodings', share({ encoding: { type: 'hash', buckets: 10 } }, { encoding: { type: 'hash', buckets: 20 } }), 'features.b.encoding', 'hash, buckets 20 here and as hash, buckets 10 in features.a', 'give both the same'],
  ['kinds of encoding', share({ encoding: { type: 'hash', buckets: 10 } }, { encoding: { type: 'vocabulary' } }), 'features.b.encoding', 'vocabulary, minCount 2 here', 'give both the same'],
  ['widths', share({ width: 8 }, { width: 16 }), 'features.b.width', '16 wide here and 8 in features.a', 'set it to 8'],
  ['fields', { ...sequence({ fields: { ad: { table: 'ad_id', width: 4 } } }), features: { ad_id: { kind: 'categorical', side: 'candidate', width: 8 }, h: { kind: 'sequence', length: 2, fields: { ad: { table: 'ad_id', width: 4 } } } } }, 'features.h.fields.ad.width', '4 wide here', 'set it to 8'],
  ['buckets', { ...base, features: { age: { kind: 'number', side: 'request', encoding: { type: 'bucket', count: 4 } }, b: { kind: 'categorical', side: 'request', table: 'age' } } }, 'features.b', 'holds ids here and buckets in features.age', 'name another table in features.b.table'],
];

const sources: readonly Case[] = [
  ['both', withSurface({ source: { files: 'a', sql: 'b' } }), 'surfaces.home.source', 'both files and sql', 'remove one'],
  ['neither', withSurface({ source: {} }), 'surfaces.home.source', 'neither files nor sql', 'add files or sql'],
  ['format of a query', withSurface({ source: { sql: 'x', format: 'csv' } }), 'surfaces.home.source.format', 'a query has no format', 'remove format'],
  ['events', sequence({ events: { source: {} } }), 'features.f.events.source', 'neither files nor sql', 'add files or sql'],
  ['view types without an expression', withSurface({ viewTypes: ['a'] }), 'surfaces.home.viewTypes', 'nothing says which one a row has', "viewType: 'view_type'"],
  ['view type twice', withSurface({ viewType: 'v', viewTypes: ['a', 'a'] }), 'surfaces.home.viewTypes[1]', '"a" is listed twice', 'remove one'],
  ['mixed split', { ...base, split: { validation: 0.1, testFrom: '2025-01-01' } }, 'split', 'mixes moments (testFrom) with fractions (validation)', 'one of the two forms'],
  ['half a split', { ...base, split: { validation: 0.1 } }, 'split.test', 'is missing', 'add test, e.g. 0.1'],
  ['half a split of moments', { ...base, split: { validationFrom: '2025-01-01' } }, 'split.testFrom', 'is missing', "add testFrom, e.g. '2025-01-31'"],
  ['too much', { ...base, split: { validation: 0.5, test: 0.5 } }, 'split', 'take 1 of the requests', 'lower validation or test'],
  ['no moment', { ...base, split: { validationFrom: 'soon', testFrom: '2025-01-01' } }, 'split.validationFrom', '"soon" is not a moment', "'2025-01-31'"],
  ['order', { ...base, split: { validationFrom: '2025-01-02', testFrom: '2025-01-01' } }, 'split.testFrom', '"2025-01-01" is not after validationFrom, "2025-01-02"', 'set testFrom to a moment after validationFrom'],
  ['order of the end', { ...base, split: { from: 5, validationFrom: 6, testFrom: 8, until: 8 } }, 'split.until', '8 is not after testFrom, 8', 'set until to a moment after testFrom'],
];

const withModel = (model: Record<string, unknown>, fields: Record<string, unknown> = { ad: {} }) => ({
  ...base,
  features: { ...base.features, history: { kind: 'sequence', length: 10, fields } },
  models: { full: { preset: 'unified', ...model } },
});

const models: readonly Case[] = [
  ['heads that do not divide', withModel({ transformer: { width: 32, heads: 3 } }), 'models.full.transformer.heads', '3 heads do not divide a width of 32', 'change heads or width'],
  ['a transformer without a sequence', { ...base, models: { full: { preset: 'unified', transformer: {} } } }, 'models.full.transformer', 'no sequence to read', 'declare one'],
  ['a sequence that is none', withModel({ transformer: { sequences: ['histroy'] } }), 'models.full.transformer.sequences[0]', '"histroy" is not a sequence', 'history'],
  ['no sequences', withModel({ transformer: { sequences: [] } }), 'models.full.transformer.sequences', 'is empty', 'name one'],
  ['positions by time without times', withModel({ transformer: { positions: 'time' } }), 'models.full.transformer.positions', 'sequence "history" has no time gap', "positions: 'learned'"],
  ['a projection of nothing', withModel({ projection: {} }), 'models.full.projection', 'nothing to project', 'add transformer'],
  ['a mixture without a rank', withModel({ transformer: {}, projection: { experts: 2 } }), 'models.full.projection.rank', 'is missing', 'add rank'],
  ['experts without a layer', withModel({ experts: { hidden: [] } }), 'models.full.experts.hidden', 'needs a layer', 'add one'],
  ['experts in a logistic regression', withModel({ preset: 'linear', experts: {} }), 'models.full.experts', 'no place in a logistic regression', 'remove experts'],
  ['late fusion of separate models', withModel({ preset: 'separate', lateFusion: true }), 'models.full.lateFusion', 'several surfaces', 'remove lateFusion'],
  ['dropout of everything', withModel({ transformer: { dropout: 1 } }), 'models.full.transformer.dropout', 'is 1', 'a fraction from 0 to below 1'],
];

describe.each([
  ['shape', shape],
  ['names', names],
  ['references', references],
  ['features', features],
  ['tables', tables],
  ['models', models],
  ['sources', sources],
])('%s', (_, cases) => {
  test.each(cases)('%s', (_what, config, path, message, fix) => {
    const issues = configIssues(config);
    expect(issues).toHaveLength(1);
    expect(issues[0]!.path).toBe(path);
    expect(issues[0]!.message).toContain(message);
    expect(issues[0]!.fix).toContain(fix);
    expect(issues[0]!.expected).not.toBe('');
  });
});

describe('a valid config', () => {
  test.each([
    ['the smallest', base],
    ['sampling on a surface of one task', { ...withSurface({ negativeSampling: { task: 'click', rate: 1 } }), tasks: { ...base.tasks, like: { label: 'l', surfaces: ['search'] } } }],
    ['time gaps of joined events', sequence({ events, fields: gap })],
    ['time gaps of list columns', sequence({ time: 'event_times', timeUnit: 's', fields: gap })],
    ['a table one use says nothing about', share({}, { encoding: { type: 'hash', buckets: 20 }, width: 8 })],
    ['a table with equal encodings', share({ encoding: { type: 'vocabulary' } }, { encoding: { type: 'vocabulary', minCount: 2 } })],
    ['position', withFeature({ kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 1 } })],
    ['dates', { ...base, split: { validationFrom: '2025-01-01', testFrom: '2025-01-01T06:00' } }],
    ['options set to undefined', { ...base, split: undefined, models: undefined, training: { earlyStopping: undefined } }],
  ])('%s', (_, config) => {
    expect(configIssues(config)).toEqual([]);
  });
});

test('every problem is in one error, and a broken entry is reported once', () => {
  const config = {
    ...base,
    surfaces: { ...base.surfaces, home: { source: { files: 3 }, negativeSampling: { task: 'nope', rate: 3 } } },
    features: { 'a.b': { kind: 'number', side: 'request', surfaces: ['hme'] }, c: { kind: 'categorical', sid: 'request' } },
    tasks: { click: { label: 'l', surfaces: ['serch'] } },
    split: { validation: 2, test: 0.1 },
  };
  const attempt = () => validateConfig(config, '/p/onefold.config.ts');
  expect(attempt).toThrow(ConfigError);
  try {
    attempt();
  } catch (error) {
    const { issues, message, where, code } = error as ConfigError;
    expect(issues.map((issue) => issue.path)).toEqual([
      'surfaces.home.source.files',
      'surfaces.home.negativeSampling.rate',
      'features.c.side',
      'features.c.sid',
      'split.validation',
      'features["a.b"]',
      'features["a.b"].surfaces[0]',
      'tasks.click.surfaces[0]',
      'surfaces.home',
      'surfaces.search',
    ]);
    expect(code).toBe('config');
    expect(where).toBe('/p/onefold.config.ts');
    expect(message).toContain('/p/onefold.config.ts has 10 problems');
    expect(message).toContain('features.c.sid: unknown option "sid"');
  }
});
