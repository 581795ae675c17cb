import { describe, expect, test } from 'vitest';
import { configIssues } from './validate.js';

const base = {
  name: 'shop',
  surfaces: { home: { source: { files: 'h' } }, search: { source: { files: 's' } }, related: { source: { files: 'r' } } },
  features: {
    country: { kind: 'categorical', side: 'request' },
    query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
    history: { kind: 'sequence', length: 10, fields: { ad: {} } },
    ad: { kind: 'categorical', side: 'candidate' },
  },
  tasks: { click: { label: 'clicked' }, save: { label: 'saved' } },
};

const unify = (section: Record<string, unknown>, more: Record<string, unknown> = {}) => ({ ...base, ...more, unify: section });
const settings = (values: Record<string, unknown>, sweep: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => unify({ ...more, sweep: { trials: 2, settings: values, ...sweep } });

/** What is wrong, the config, and the one issue it must give: path, part of its message, part of its fix. */
type Case = readonly [what: string, config: unknown, path: string, message: string, fix: string];

const names: readonly Case[] = [
  ['an option', unify({ sharedlearning: {} }), 'unify.sharedlearning', 'unknown option', '"sharedLearning"'],
  ['a stage of the gates', unify({ gates: { stages: { baselin: {} } } }), 'unify.gates.stages.baselin', 'unknown option', '"baseline"'],
  ['separate.on', unify({ separate: { on: { serach: {} } } }), 'unify.separate.on.serach', 'unknown surface "serach"', 'did you mean "search"?'],
  ['order', unify({ order: [['home', 'serach'], ['related']] }), 'unify.order[0][1]', 'unknown surface "serach"', 'did you mean "search"?'],
  ['order, twice', unify({ order: [['home', 'search'], ['related', 'home']] }), 'unify.order[1][1]', 'surface "home" is listed twice', 'remove one'],
  ['order, not all', unify({ order: [['home', 'search']] }), 'unify.order', 'lacks "related"', 'a group of its own'],
  ['order, none', unify({ order: [] }), 'unify.order', 'lacks "home", "search" and "related"', 'add it to a group'],
  ['order, nothing to unify first', unify({ order: [['home'], ['search', 'related']] }), 'unify.order[0]', 'has "home" alone', 'join it with the next'],
  ['tasks of a gate', unify({ gates: { quality: { tasks: ['click', 'sve'] } } }), 'unify.gates.quality.tasks[1]', 'unknown task "sve"', 'did you mean "save"?'],
  ["tasks of a stage's gate", unify({ gates: { stages: { export: { quality: { tasks: ['clck'] } } } } }), 'unify.gates.stages.export.quality.tasks[0]', 'unknown task "clck"', 'did you mean "click"?'],
  ['a gate of no task', unify({ gates: { quality: { tasks: [] } } }), 'unify.gates.quality.tasks', 'is empty', 'set quality to false'],
  ['a margin', unify({ gates: { quality: { margin: -0.1 } } }), 'unify.gates.quality.margin', 'is -0.1', 'a number from 0 to 1'],
  ['a cost limit', unify({ gates: { latency: 0 } }), 'unify.gates.latency', 'is 0', 'a number above 0, or false'],
  ['early stopping of a stage', unify({ baseline: { training: { earlyStopping: { task: 'clik' } } } }), 'unify.baseline.training.earlyStopping.task', 'unknown task "clik"', 'did you mean "click"?'],
  ['early stopping of separate models', unify({ separate: { training: { earlyStopping: { task: 'clik' } } } }), 'unify.separate.training.earlyStopping.task', 'unknown task "clik"', 'did you mean "click"?'],
  ["early stopping of a surface's own model", unify({ separate: { on: { home: { training: { earlyStopping: { task: 'clik' } } } } } }), 'unify.separate.on.home.training.earlyStopping.task', 'unknown task "clik"', 'did you mean "click"?'],
];

const models: readonly Case[] = [
  ['a feature of a model', { ...base, models: { m: { preset: 'unified', features: ['ad', 'contry'] } } }, 'models.m.features[1]', 'unknown feature "contry"', 'did you mean "country"?'],
  ['a feature twice', { ...base, models: { m: { preset: 'unified', features: ['ad', 'ad'] } } }, 'models.m.features[1]', 'listed twice', 'remove one'],
  ['a model that leaves surfaces without a feature', { ...base, models: { m: { preset: 'unified', features: ['query'] } } }, 'models.m.features', 'none of them is on "home" and "related"', 'add a feature that "home" and "related" have'],
  ['a transformer without its sequence', { ...base, models: { m: { preset: 'unified', features: ['ad'], transformer: {} } } }, 'models.m.transformer', 'have no sequence', 'add it there'],
  ['a sequence left out', { ...base, features: { ...base.features, other: { kind: 'sequence', length: 2, fields: { x: {} } } }, models: { m: { preset: 'unified', features: ['ad', 'other'], transformer: { sequences: ['history'] } } } }, 'models.m.transformer.sequences[0]', '"history" is not a sequence that the model reads', 'other'],
  ['a feature of separate models', unify({ separate: { features: ['ads'] } }), 'unify.separate.features[0]', 'unknown feature "ads"', 'did you mean "ad"?'],
  ["a feature of a surface's own model", unify({ separate: { on: { home: { features: ['query'] } } } }), 'unify.separate.on.home.features', 'none of them is on "home"', 'add a feature that "home" has'],
  ['a feature of the baseline', unify({ baseline: { features: ['ads'] } }), 'unify.baseline.features[0]', 'unknown feature "ads"', 'did you mean "ad"?'],
  ['heads of shared learning, which later stages have too', unify({ sharedLearning: { transformer: { width: 32, heads: 3 } } }), 'unify.sharedLearning.transformer.heads', '3 heads do not divide a width of 32', 'change heads or width'],
  ['a width under the heads of the stage before', unify({ sharedLearning: { transformer: { heads: 4 } }, efficiency: { transformer: { width: 30 } } }), 'unify.efficiency.transformer.heads', '4 heads do not divide a width of 30', 'change heads or width'],
  ['a projection of nothing', unify({ sharedLearning: { experts: {} }, efficiency: { projection: {} } }), 'unify.efficiency.projection', 'nothing to project', 'add transformer'],
  ['a Transformer whose sequence the baseline leaves out', unify({ baseline: { features: ['ad'] }, sharedLearning: { transformer: {} } }), 'unify.sharedLearning.transformer', 'have no sequence', 'add it there'],
  ['late fusion of separate models', unify({ separate: { lateFusion: true } }), 'unify.separate.lateFusion', 'several surfaces', 'remove lateFusion'],
  ["modules of a surface's own model", unify({ separate: { on: { search: { projection: {} } } } }), 'unify.separate.on.search.projection', 'nothing to project', 'add transformer'],
  ["what is wrong with a declared model is not a stage's fault", unify({}, { models: { unified: { preset: 'unified', features: ['ads'] } } }), 'models.unified.features[0]', 'unknown feature "ads"', 'did you mean "ad"?'],
  ['nor of separate models', unify({ separate: { on: { home: { mlp: [8] } } } }, { models: { separate: { preset: 'separate', experts: { hidden: [] } } } }), 'models.separate.experts.hidden', 'needs a layer', 'add one'],
];

const sweeps: readonly Case[] = [
  ['a path', settings({ 'training.learninRate': [1e-3] }), 'unify.sweep.settings["training.learninRate"]', 'is no option that a sweep can set', 'did you mean "training.learningRate"?'],
  ['a section', settings({ training: [{ learningRate: 1 }] }), 'unify.sweep.settings.training', 'is no option that a sweep can set', 'use'],
  ['early stopping', settings({ 'training.earlyStopping': [false] }), 'unify.sweep.settings["training.earlyStopping"]', 'is no option that a sweep can set', 'use'],
  ['a value', settings({ 'training.learningRate': [1e-3, -1] }), 'unify.sweep.settings["training.learningRate"][1]', 'is -1', 'use a number above 0'],
  ['a value within a list', settings({ mlp: [[64, 0]] }), 'unify.sweep.settings.mlp[0][1]', 'is 0', 'a whole number ≥ 1'],
  ['a choice', settings({ 'training.decay': ['cosin'] }), 'unify.sweep.settings["training.decay"][0]', 'is "cosin"', "use one of 'constant', 'linear', 'cosine'"],
  ['no value', settings({ dropout: [undefined] }), 'unify.sweep.settings.dropout[0]', 'is missing', 'give a value'],
  ['no values', settings({ dropout: [] }), 'unify.sweep.settings.dropout', 'an empty list', 'at least one value'],
  ['an option of a module that no swept model has', settings({ 'transformer.width': [32] }), 'unify.sweep.settings["transformer.width"]', 'no model that is swept has transformer', 'unify.sweep.stages'],
  ['a value that breaks a model', settings({ 'transformer.width': [32, 33] }, { stages: ['shared-learning'] }), 'unify.sweep.settings["transformer.width"][1]', 'transformer.heads 2 heads do not divide a width of 33', 'remove the value'],
  [
    'a value that breaks it beside another',
    settings({ 'transformer.width': [30, 32], 'transformer.heads': [2, 4] }, { stages: ['shared-learning'] }),
    'unify.sweep.settings["transformer.heads"][1]',
    'where transformer.width is 30: transformer.heads 4 heads do not divide a width of 30',
    'remove the value',
  ],
  ["a value that breaks a surface's own model", settings({ 'transformer.heads': [3] }, {}, { separate: { on: { home: { transformer: {} } } } }), 'unify.sweep.settings["transformer.heads"][0]', '3 heads do not divide', 'remove the value'],
  ['features', settings({ features: [['ad'], ['query']] }), 'unify.sweep.settings.features[1]', 'none of them is on "home"', 'remove the value'],
];

describe.each([
  ['names', names],
  ['models', models],
  ['sweeps', sweeps],
])('%s', (_, cases) => {
  test.each(cases)('%s', (_what, config, path, message, fix) => {
    const issues = configIssues(config);
    expect(issues.map((issue) => issue.path)).toEqual([path]);
    expect(issues[0]!.message).toContain(message);
    expect(issues[0]!.fix).toContain(fix);
    expect(issues[0]!.expected).not.toBe('');
  });
});

describe('a valid config', () => {
  test.each([
    ['nothing', unify({})],
    ['undefined', { ...base, unify: undefined }],
    ['an order', unify({ order: [['search', 'home'], ['related']] })],
    ['all in one group', unify({ order: [['search', 'home', 'related']] })],
    ['gates', unify({ gates: { quality: { tasks: ['save'], margin: 0 }, stages: { expand: { quality: false, gain: true }, export: { size: false, latency: 2 } } } })],
    ['features of every stage', unify({ separate: { features: ['ad', 'country'], on: { search: { features: ['query'] } } }, baseline: { features: ['ad', 'history'] }, surfaceAware: { features: ['ad', 'history', 'query'] } })],
    ['separate models whose common features leave out a surface that has its own', unify({ separate: { features: ['query'], on: { home: { features: ['ad'] }, related: { features: ['ad'] } } } })],
    ['a baseline without a sequence, whose shared learning has no Transformer by default', unify({ baseline: { features: ['ad'] } })],
    ['modules added over stages', unify({ sharedLearning: { transformer: { width: 32 } }, efficiency: { projection: { width: 8 }, transformer: { read: 'newest' } } })],
    ['settings', settings({ 'training.learningRate': [1e-3], 'embedding.width': [8, 16], mlp: [[64], [128, 64]], 'cross.rank': [8], lateFusion: [true, false], 'transformer.layers': [1, 2] }, { stages: ['baseline', 'shared-learning'] })],
    ['a model with a task of its own to stop by', unify({ baseline: { training: { earlyStopping: { task: 'save' } } } })],
  ])('%s', (_, config) => {
    expect(configIssues(config)).toEqual([]);
  });
});

test('a fault of shape is reported once, and the rest of the section is still checked', () => {
  const issues = configIssues(unify({ baseline: { mlp: [0] }, sharedLearning: { projection: {} }, order: [['home', 'hom']], sweep: { trials: 0, settings: { x: [1] } } }));
  expect(issues.map(({ path }) => path)).toEqual(['unify.baseline.mlp[0]', 'unify.sweep.trials', 'unify.order[0][1]']);
});
