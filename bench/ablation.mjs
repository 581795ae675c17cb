/**
 * `npm run bench:ablation -- kuairand|ebnerd DATA_FOLDER`: what each module of an example's full model brings and costs. The
 * same settings throughout; each variant is compared with the unified model on the same features, and with the first
 * unified baseline, which read plainer histories, on the same held-out rows.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadProject } from '../dist/config/load.js';
import { comparePredictions } from '../dist/evaluate/compare.js';
import { openPrepared } from '../dist/unify/open-prepared.js';
import { scoreModel } from '../dist/unify/score-model.js';
import { onefold, ROOT, writeResults } from './onefold.mjs';

const [example, data] = process.argv.slice(2);
if (example === undefined || data === undefined || !existsSync(join(ROOT, 'examples', example, 'onefold.config.ts'))) {
  process.stderr.write('usage: npm run bench:ablation -- kuairand|ebnerd DATA_FOLDER\n');
  process.exit(2);
}

/** Modules of each variant; `full` is the example's own. */
const VARIANTS = {
  transformer: ['transformer'],
  mmoe: ['experts'],
  both: ['transformer', 'experts'],
  both_projected: ['transformer', 'experts', 'projection'],
};

/** The example before its histories said what came of an event: what the first unified baseline read. */
const PLAIN = {
  kuairand: `(features) => {
    const { recent, watched } = features;
    const source = { sql: recent.events.source.sql };
    const fields = ({ video, tab, gap }) => ({ video, tab, gap });
    return {
      ...features,
      watched: { ...watched, fields: { video: watched.fields.video } },
      recent: { ...recent, length: 20, events: { ...recent.events, source, where: 'is_click = 1', time: 'time_ms' }, fields: fields(recent.fields) },
    };
  }`,
  ebnerd: `({ picked, history, ...features }) => {
    const { length, ...fields } = history.fields;
    return { ...features, history: { ...history, fields } };
  }`,
};

const folder = join(ROOT, 'examples', example);
const workspace = join(folder, '.onefold');
const writeConfig = (name, text) => {
  const derived = join(workspace, name);
  mkdirSync(derived, { recursive: true });
  writeFileSync(join(derived, 'onefold.config.ts'), `import base from ${JSON.stringify(join(folder, 'onefold.config.ts'))};\n${text}`);
  return { derived, project: ['--config', derived, '--data', resolve(data)] };
};
const { derived, project } = writeConfig(
  'ablation',
  `const variants = ${JSON.stringify(VARIANTS)};
export default (environment) => {
  const config = base(environment);
  const { unified, full } = config.models;
  const { transformer, experts, projection = { width: 8 }, ...plain } = full;
  const modules = { transformer, experts, projection };
  const models = Object.fromEntries(Object.entries(variants).map(([name, own]) => [name, { ...plain, ...Object.fromEntries(own.map((module) => [module, modules[module]])) }]));
  return { ...config, workspace: ${JSON.stringify(workspace)}, models: { unified, ...models } };
};
`,
);
const first = writeConfig(
  'first',
  `const plain = ${PLAIN[example]};
export default (environment) => {
  const config = base(environment);
  return { ...config, features: plain(config.features), workspace: ${JSON.stringify(join(workspace, 'first'))}, models: { unified: config.models.unified } };
};
`,
);

/** Scores the test split; two projects of the same rows can be compared like two models of one. */
const score = async (config, name) => {
  const opened = await loadProject(config, { data: resolve(data) });
  const { directory, manifest } = await openPrepared(opened);
  return scoreModel({ project: opened, model: opened.models[name], manifest, directory, split: 'test', trainingOnly: 'logged' });
};

onefold('prepare', ...first.project);
onefold('train', 'unified', ...first.project);
const firstPredictions = await score(first.derived, 'unified');
onefold('prepare', ...project);
const rows = [];
const signed = (value, digits) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
const text = ({ difference, interval, verdict }, digits) => `${signed(difference, digits)} [${signed(interval.low, digits)}, ${signed(interval.high, digits)}] ${verdict}`;
const metricsOf = ({ tasks }) => Object.fromEntries(tasks.map(({ task, overall }) => [task, { auc: overall.metrics.auc, ne: overall.metrics.ne }]));
for (const name of ['unified', ...Object.keys(VARIANTS)]) {
  const { runs } = onefold('train', name, ...project);
  const validation = onefold('evaluate', name, '--split', 'validation', ...project);
  const costs = onefold('inspect', name, ...project).runs[0];
  const row = {
    model: name,
    validation: Object.fromEntries(validation.tasks.map(({ task, overall }) => [task, overall.metrics.logLoss])),
    againstUnified: metricsOf(onefold('compare', 'unified', name, ...project)),
    againstFirst: metricsOf(comparePredictions(firstPredictions, await score(derived, name), { names: ['first', name] })),
    parameters: costs.parameters,
    forwardPerCandidate: costs.perThousandCandidates.forward / 1000,
    trainPerCandidate: costs.perThousandCandidates.train / 1000,
    seconds: runs.reduce((sum, run) => sum + run.seconds, 0),
    steps: runs.reduce((sum, run) => sum + run.steps, 0),
  };
  rows.push(row);
  process.stdout.write(`${name.padEnd(16)}${(row.trainPerCandidate / 1e3).toFixed(0).padStart(6)} kFLOPs to train a candidate, ${((1000 * row.seconds) / row.steps).toFixed(1)} ms a step\n`);
  for (const [task, { auc, ne }] of Object.entries(row.againstUnified)) {
    process.stdout.write(`  ${task.padEnd(10)} validation ${row.validation[task].toFixed(5)}  test AUC ${auc.b.toFixed(4)} ${name === 'unified' ? '' : text(auc, 4)}  NE ${ne.b.toFixed(4)} ${name === 'unified' ? '' : text(ne, 4)}\n`);
    process.stdout.write(`  ${''.padEnd(10)} against the first baseline: AUC ${text(row.againstFirst[task].auc, 4)}  NE ${text(row.againstFirst[task].ne, 4)}\n`);
  }
}
writeResults(`ablation-${example}`, rows);
