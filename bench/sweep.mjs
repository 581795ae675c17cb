/**
 * `npm run bench:sweep -- kuairand|ebnerd DATA_FOLDER`: the same settings for the separate and the unified model of an
 * example, each chosen on the validation split. The settings that win stand in the example's config.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { deriveConfig, onefold, ROOT, writeResults } from './onefold.mjs';

const [example, data] = process.argv.slice(2);
if (example === undefined || data === undefined || !existsSync(join(ROOT, 'examples', example, 'onefold.config.ts'))) {
  process.stderr.write('usage: npm run bench:sweep -- kuairand|ebnerd DATA_FOLDER\n');
  process.exit(2);
}

/** Settings tried: the first so many. */
const TRIED = { kuairand: 6, ebnerd: 8 };
/** Enough for early stopping to decide. */
const EPOCHS = { kuairand: 4, ebnerd: 8 };
/** Task weights of the examples' configs. */
const WEIGHTS = { kuairand: { click: 1, long_view: 0.5, like: 0.2 }, ebnerd: { click: 1, long_read: 0.3 } };
const COMMON = { epochs: EPOCHS[example], warmupSteps: 30, evaluationsPerEpoch: 2, earlyStopping: { metric: 'logLoss', task: 'click', patience: 2 } };
/** The same for both presets: [model, training]. KuaiRand's sweep is the first six. */
const SETTINGS = {
  1: [{}, { batchSize: 1024 }],
  2: [{}, { batchSize: 256 }],
  3: [{ dropout: 0.2 }, { batchSize: 512 }],
  4: [{ embedding: { width: 8 }, mlp: [64, 32], tower: [16], dropout: 0.2 }, { batchSize: 512 }],
  5: [{ dropout: 0.2 }, { batchSize: 512, embeddingLearningRate: 0.02, learningRate: 5e-4 }],
  6: [{ embedding: { width: 8 } }, { batchSize: 512, weightDecay: 0.05, embeddingWeightDecay: 1e-5 }],
  7: [{ embedding: { width: 8 }, dropout: 0.1, tower: [64, 32] }, { batchSize: 512, weightDecay: 0.05, embeddingWeightDecay: 1e-5 }],
  8: [{ embedding: { width: 8 }, cross: { layers: 3 }, mlp: [128, 64], tower: [64], dropout: 0.2 }, { batchSize: 512, weightDecay: 0.05 }],
};

const models = Object.fromEntries(
  Object.entries(SETTINGS).slice(0, TRIED[example]).flatMap(([name, [model, training]]) =>
    ['separate', 'unified'].map((preset) => [`${preset}-${name}`, { preset, ...model, training: { ...COMMON, ...training } }]),
  ),
);
const config = deriveConfig(example, 'sweep', { workspace: join(ROOT, 'examples', example, '.onefold'), models });
const project = ['--config', config, '--data', resolve(data)];

onefold('prepare', ...project);
const rows = [];
for (const name of Object.keys(models)) {
  const { runs } = onefold('train', name, ...project);
  const { tasks } = onefold('evaluate', name, '--split', 'validation', ...project);
  // What training minimizes: the tasks' log losses, weighted.
  const objective = tasks.reduce((sum, { task, overall }) => sum + WEIGHTS[example][task] * overall.metrics.logLoss, 0);
  const { logLoss, auc } = tasks[0].overall.metrics;
  const row = { model: name, objective, logLoss, auc, seconds: runs.reduce((sum, run) => sum + run.seconds, 0), ...models[name] };
  rows.push(row);
  process.stdout.write(`${name.padEnd(12)} validation loss ${objective.toFixed(5)}  click: log loss ${logLoss.toFixed(5)}, AUC ${auc.toFixed(5)}  ${row.seconds.toFixed(0)} s\n`);
}
for (const preset of ['separate', 'unified']) {
  const best = rows.filter((row) => row.preset === preset).reduce((a, b) => (b.objective < a.objective ? b : a));
  process.stdout.write(`best ${preset}: ${best.model}\n`);
}
writeResults(`sweep-${example}`, rows);
