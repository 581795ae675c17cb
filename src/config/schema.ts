/**
 * The shape of a config, as zod schemas. By convention the `error` text of every schema says what was expected there;
 * `schema-issues.ts` adds what was found and the fix. Checks across entries are in `validate.ts`.
 */
import { z } from 'zod';
import { CALIBRATION_METHODS, MODEL_STAGES, STAGES } from './unify-plan.js';

/** An object that takes no other keys; its error text for an unknown key is the list of known ones. */
const strict = <S extends z.ZodRawShape>(shape: S, expected = 'an object') =>
  z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(', ') : expected),
  });

const named = <V extends z.ZodType>(value: V, expected: string) => z.record(z.string(), value, { error: expected });

const oneOf = <const V extends readonly string[]>(...values: V) =>
  z.enum(values, { error: `one of ${values.map((value) => `'${value}'`).join(', ')}` });

const text = (expected: string) => z.string({ error: expected }).refine((value) => value.trim() !== '', { error: expected });
const expression = text('a column name or DuckDB expression, as text');
const name = text('a name, as text');

const numberIn = (low: number, high: number, expected: string) =>
  z.number({ error: expected }).min(low, { error: expected }).max(high, { error: expected });
const above = (low: number, expected: string) => z.number({ error: expected }).gt(low, { error: expected });
const whole = (low: number, expected = `a whole number ≥ ${low}`) =>
  z.number({ error: expected }).int({ error: expected }).min(low, { error: expected });
const list = <V extends z.ZodType>(value: V, expected: string) => z.array(value, { error: expected });

const timeUnit = oneOf('s', 'ms', 'us');
const pooling = oneOf('sum', 'mean', 'max');
const width = whole(1, 'a whole number ≥ 1 (the embedding width)');
const rate = above(0, 'a fraction above 0 and at most 1').max(1, { error: 'a fraction above 0 and at most 1' });

/** `files` and `sql` exclude each other; `checkSources` holds that, so that a source has one shape for unknown keys. */
const source = strict(
  {
    files: z
      .union([text('a path'), list(text('a path'), 'a list of paths').min(1, { error: 'at least one path' })], {
        error: 'a path, a glob, or a list of them',
      })
      .optional(),
    format: oneOf('parquet', 'csv', 'jsonl').optional(),
    sql: text('a DuckDB query').optional(),
    layout: oneOf('candidate', 'request').optional(),
  },
  "{ files: 'logs/*.parquet' } or { sql: 'select …' }",
);

const keys = strict({
  request: expression.optional(),
  user: expression.optional(),
  time: expression.optional(),
  timeUnit: timeUnit.optional(),
});

const surface = strict({
  source,
  where: text('a DuckDB condition').optional(),
  keys: keys.optional(),
  viewType: expression.optional(),
  viewTypes: list(text('a view type'), 'a list of view types').min(1, { error: 'at least one view type' }).optional(),
  negativeSampling: strict({ task: name, rate }, '{ task, rate }').optional(),
});

const categoricalEncoding = z.discriminatedUnion(
  'type',
  [
    strict({ type: z.literal('vocabulary'), minCount: whole(1).optional(), maxSize: whole(1).optional() }),
    strict({ type: z.literal('hash'), buckets: whole(1) }),
  ],
  { error: "{ type: 'vocabulary', minCount, maxSize } or { type: 'hash', buckets }" },
);

const numberEncoding = z.discriminatedUnion(
  'type',
  [
    strict({ type: z.literal('none') }),
    strict({ type: z.literal('standard') }),
    strict({ type: z.literal('log') }),
    strict({ type: z.literal('quantile'), quantiles: whole(2).optional() }),
    strict({
      type: z.literal('bucket'),
      boundaries: list(z.number({ error: 'a finite number' }), 'a list of ascending numbers')
        .min(1, { error: 'at least one boundary' })
        .optional(),
      count: whole(2).optional(),
    }),
  ],
  { error: "{ type: 'none' | 'standard' | 'log' | 'quantile' | 'bucket' }" },
);

const side = oneOf('request', 'candidate');
const surfaceNames = list(name, 'a list of surface names').min(1, { error: 'at least one surface' });

const base = {
  side,
  surfaces: surfaceNames.optional(),
  column: expression.optional(),
  on: named(
    strict({ column: expression.optional(), unit: name.optional(), vocabulary: name.optional() }, '{ column, unit, vocabulary }'),
    'an object with a key per surface',
  ).optional(),
  unit: name.optional(),
  trainingOnly: strict(
    { serveAs: z.union([z.string(), z.number()], { error: 'the raw value to score with: text or a finite number' }) },
    '{ serveAs: value }',
  ).optional(),
};

const embedded = { encoding: categoricalEncoding.optional(), table: name.optional(), width: width.optional() };

const sequenceField = z.discriminatedUnion(
  'kind',
  [
    strict({ kind: z.literal('id').optional(), column: expression.optional(), ...embedded }, '{ column, table, encoding, width }'),
    strict({ kind: z.literal('time_gap'), width: width.optional() }),
  ],
  { error: "a field: {} or { kind: 'id', … } for an id, or { kind: 'time_gap' }" },
);

const feature = z.discriminatedUnion(
  'kind',
  [
    strict({ kind: z.literal('categorical'), ...base, ...embedded }),
    strict({
      kind: z.literal('multi'),
      ...base,
      ...embedded,
      pooling: pooling.optional(),
      maxLength: whole(1).optional(),
    }),
    strict({ kind: z.literal('number'), ...base, encoding: numberEncoding.optional(), width: width.optional() }),
    strict({ kind: z.literal('vector'), ...base, size: whole(1) }),
    strict({
      kind: z.literal('sequence'),
      side: z.literal('request', { error: "'request': a history belongs to the request" }).optional(),
      surfaces: surfaceNames.optional(),
      length: whole(1, 'a whole number ≥ 1: how many events are kept'),
      fields: named(sequenceField, 'an object with a key per field of the events'),
      events: strict({
        source,
        where: text('a DuckDB condition').optional(),
        user: expression.optional(),
        time: expression.optional(),
        timeUnit: timeUnit.optional(),
      }).optional(),
      time: expression.optional(),
      timeUnit: timeUnit.optional(),
      pooling: pooling.optional(),
    }),
  ],
  { error: "a feature with kind 'categorical', 'multi', 'number', 'vector' or 'sequence'" },
);

const task = strict({
  label: text('a DuckDB expression giving 0, 1, a boolean or NULL'),
  on: named(strict({ label: text('a DuckDB expression') }, '{ label }'), 'an object with a key per surface').optional(),
  surfaces: surfaceNames.optional(),
  weight: above(0, 'a number above 0').optional(),
});

const moment = z.union([z.string(), z.number()], { error: 'an ISO date or date-time, or epoch milliseconds' });
const fraction = above(0, 'a fraction between 0 and 1').lt(1, { error: 'a fraction between 0 and 1' });

/** Two forms; `checkSplit` holds that they are not mixed. */
const split = strict(
  {
    from: moment.optional(),
    validationFrom: moment.optional(),
    testFrom: moment.optional(),
    until: moment.optional(),
    validation: fraction.optional(),
    test: fraction.optional(),
  },
  '{ validationFrom, testFrom } or { validation, test }',
);

const training = strict({
  seed: z
    .number({ error: 'a whole number from 0 to 4294967295' })
    .int({ error: 'a whole number from 0 to 4294967295' })
    .min(0, { error: 'a whole number from 0 to 4294967295' })
    .max(4294967295, { error: 'a whole number from 0 to 4294967295' })
    .optional(),
  batchSize: whole(1).optional(),
  batchRequests: whole(1).optional(),
  batchTokens: whole(1).optional(),
  expand: z.boolean({ error: 'true or false' }).optional(),
  epochs: whole(1).optional(),
  learningRate: above(0, 'a number above 0').optional(),
  embeddingLearningRate: above(0, 'a number above 0').optional(),
  embeddingOptimizer: oneOf('adagrad', 'adam', 'sgd').optional(),
  optimizer: oneOf('adam', 'adamw').optional(),
  warmupSteps: whole(0).optional(),
  decay: oneOf('constant', 'linear', 'cosine').optional(),
  finalLearningRate: numberIn(0, 1, 'a fraction from 0 to 1').optional(),
  weightDecay: numberIn(0, Number.MAX_VALUE, 'a number ≥ 0').optional(),
  embeddingWeightDecay: numberIn(0, Number.MAX_VALUE, 'a number ≥ 0').optional(),
  clipNorm: numberIn(0, Number.MAX_VALUE, 'a number ≥ 0 (0 turns clipping off)').optional(),
  earlyStopping: z
    .union(
      [
        z.literal(false),
        strict({ metric: oneOf('logLoss', 'auc', 'gauc').optional(), task: name.optional(), patience: whole(1).optional() }),
      ],
      { error: 'false, or { metric, task, patience }' },
    )
    .optional(),
  evaluationsPerEpoch: whole(1).optional(),
  checkpointMinutes: above(0, 'a number above 0').optional(),
  threads: whole(1).optional(),
});

const layers = list(whole(1, 'a whole number ≥ 1 (units of a layer)'), 'a list of layer sizes');

const dropoutRate = numberIn(0, 1, 'a fraction from 0 to below 1').lt(1, { error: 'a fraction from 0 to below 1' });

const transformer = strict(
  {
    sequences: list(name, 'a list of sequence features').optional(),
    layers: whole(1).optional(),
    width: whole(1).optional(),
    heads: whole(1).optional(),
    feedForward: whole(1).optional(),
    attention: oneOf('causal', 'full').optional(),
    positions: oneOf('learned', 'time', 'none').optional(),
    read: oneOf('candidate', 'newest', 'both').optional(),
    pooled: z.boolean({ error: 'true or false' }).optional(),
    dropout: dropoutRate.optional(),
  },
  '{ layers, width, heads, … }',
);

const projection = strict(
  { width: whole(1).optional(), layers: whole(1).optional(), rank: whole(1).optional(), experts: whole(1).optional() },
  '{ width, layers, rank, experts }',
);

const experts = strict(
  { count: whole(1).optional(), kind: oneOf('mlp', 'cross').optional(), hidden: layers.optional(), rank: whole(1).optional() },
  '{ count, kind, hidden, rank }',
);

const modelOptions = {
  features: list(name, 'a list of features').min(1, { error: 'at least one feature' }).optional(),
  embedding: strict({ width: width.optional() }, '{ width }').optional(),
  cross: strict({ layers: whole(0).optional(), rank: whole(1).optional() }, '{ layers, rank }').optional(),
  mlp: layers.optional(),
  tower: layers.optional(),
  dropout: dropoutRate.optional(),
  transformer: transformer.optional(),
  projection: projection.optional(),
  experts: experts.optional(),
  lateFusion: z.boolean({ error: 'true or false' }).optional(),
  taskWeighting: oneOf('fixed', 'uncertainty').optional(),
  training: training.optional(),
};

const model = strict({ preset: oneOf('separate', 'unified', 'linear'), ...modelOptions });

/** A model's options without its preset; what a sweep tries must be valid here too. */
export const modelOptionsSchema = strict(modelOptions);

const limit = z.union([z.literal(false), above(0, 'a number above 0, or false')], { error: 'a number above 0, or false' });

const gateOptions = {
  quality: z
    .union([z.literal(false), strict({ metric: oneOf('auc', 'ne').optional(), margin: numberIn(0, 1, 'a number from 0 to 1').optional(), tasks: list(name, 'a list of tasks').optional() })], { error: 'false, or { metric, margin, tasks }' })
    .optional(),
  gain: z.boolean({ error: 'true or false' }).optional(),
  calibration: z.union([z.literal(false), strict({ within: above(0, 'a number above 0').optional() })], { error: 'false, or { within }' }).optional(),
  trainingCost: limit.optional(),
  latency: limit.optional(),
  size: limit.optional(),
};

const unify = strict({
  separate: strict({ ...modelOptions, on: named(modelOptionsSchema, 'an object with a key per surface').optional() }).optional(),
  baseline: modelOptionsSchema.optional(),
  sharedLearning: modelOptionsSchema.optional(),
  efficiency: modelOptionsSchema.optional(),
  surfaceAware: modelOptionsSchema.optional(),
  order: list(list(name, 'a list of surfaces').min(1, { error: 'at least one surface' }), 'a list of groups, each a list of surfaces').optional(),
  similarity: rate.optional(),
  gates: strict({
    ...gateOptions,
    stages: strict(Object.fromEntries(STAGES.map((stage) => [stage, strict(gateOptions).optional()]))).optional(),
  }).optional(),
  sweep: strict({
    trials: whole(1).optional(),
    method: oneOf('random', 'halving').optional(),
    seed: z.number({ error: 'a whole number' }).int({ error: 'a whole number' }).optional(),
    stages: list(oneOf(...MODEL_STAGES), 'a list of stages').optional(),
    settings: named(list(z.unknown(), 'a list of values').min(1, { error: 'at least one value' }), 'an object with a key per option').optional(),
  }).optional(),
  calibration: strict({
    methods: list(oneOf(...CALIBRATION_METHODS), 'a list of methods').min(1, { error: 'at least one method' }).optional(),
    folds: whole(2).optional(),
  }).optional(),
  export: strict({ tables: oneOf('fp32', 'fp16', 'int8').optional(), dense: oneOf('fp32', 'int8').optional() }).optional(),
  report: strict({ leaveOneOut: z.boolean({ error: 'true or false' }).optional(), importanceRows: whole(0).optional() }).optional(),
});

const memory = 'an amount of memory such as "4GB"';

/** The whole config. */
export const projectSchema = strict({
  name: text('the name of the project'),
  workspace: text('a folder').optional(),
  keys: keys.optional(),
  surfaces: named(surface, 'an object with a key per surface'),
  features: named(feature, 'an object with a key per feature'),
  tasks: named(task, 'an object with a key per task'),
  split: split.optional(),
  data: strict({
    badRows: oneOf('fail', 'quarantine').optional(),
    memoryLimit: z
      .string({ error: memory })
      .regex(/^\d+(\.\d+)?\s*[KMGT]i?B$/i, { error: memory })
      .optional(),
    shardCandidates: whole(1).optional(),
    truth: named(expression, 'an object with a key per task').optional(),
    outside: named(expression, 'an object with a key per task').optional(),
  }).optional(),
  models: named(model, 'an object with a key per model')
    .refine((models) => Object.keys(models).length > 0, { error: 'at least one model' })
    .optional(),
  training: training.optional(),
  unify: unify.optional(),
});
