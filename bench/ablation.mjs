/**
 * `npm run bench:ablation -- kuairand|ebnerd DATA_FOLDER`: what each module of an example's full model brings and costs. The
 * same settings throughout; each variant is compared with the unified baseline on the same held-out rows.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
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

const folder = join(ROOT, 'examples', example);
const derived = join(folder, '.onefold', 'ablation');
mkdirSync(derived, { recursive: true });
writeFileSync(
  join(derived, 'onefold.config.ts'),
  `import base from ${JSON.stringify(join(folder, 'onefold.config.ts'))};
const variants = ${JSON.stringify(VARIANTS)};
export default (environment) => {
  const config = base(environment);
  const { separate, unified, full } = config.models;
  const { transformer, experts, projection, ...plain } = full;
  const modules = { transformer, experts, projection };
  const models = Object.fromEntries(Object.entries(variants).map(([name, own]) => [name, { ...plain, ...Object.fromEntries(own.map((module) => [module, modules[module]])) }]));
  return { ...config, workspace: ${JSON.stringify(join(folder, '.onefold'))}, models: { separate, unified, ...models } };
};
`,
);
const project = ['--config', derived, '--data', resolve(data)];

onefold('prepare', ...project);
const rows = [];
const signed = (value, digits) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
for (const name of ['unified', ...Object.keys(VARIANTS)]) {
  const { runs } = onefold('train', name, ...project);
  const validation = onefold('evaluate', name, '--split', 'validation', ...project);
  const costs = onefold('inspect', name, ...project).runs[0];
  const { tasks } = onefold('compare', 'unified', name, ...project);
  const row = {
    model: name,
    validation: Object.fromEntries(validation.tasks.map(({ task, overall }) => [task, overall.metrics.logLoss])),
    test: Object.fromEntries(
      tasks.map(({ task, overall, surfaces }) => [
        task,
        {
          auc: overall.metrics.auc,
          ne: overall.metrics.ne,
          surfaces: Object.fromEntries(surfaces.map((slice) => [slice.name, slice.metrics.auc])),
        },
      ]),
    ),
    parameters: costs.parameters,
    forwardPerCandidate: costs.perThousandCandidates.forward / 1000,
    trainPerCandidate: costs.perThousandCandidates.train / 1000,
    seconds: runs.reduce((sum, run) => sum + run.seconds, 0),
    steps: runs.reduce((sum, run) => sum + run.steps, 0),
  };
  rows.push(row);
  process.stdout.write(`${name.padEnd(16)}${(row.forwardPerCandidate / 1e3).toFixed(0).padStart(6)} kFLOPs a candidate, ${((1000 * row.seconds) / row.steps).toFixed(1)} ms a step\n`);
  for (const [task, { auc, ne }] of Object.entries(row.test)) {
    const difference = ({ difference: value, interval, verdict }, digits) => (interval === null || name === 'unified' ? '' : `${signed(value, digits)} [${signed(interval.low, digits)}, ${signed(interval.high, digits)}] ${verdict}`);
    process.stdout.write(`  ${task.padEnd(12)} validation log loss ${row.validation[task].toFixed(5)}  test AUC ${auc.b.toFixed(4)} ${difference(auc, 4)}  NE ${ne.b.toFixed(4)} ${difference(ne, 4)}\n`);
  }
}
writeResults(`ablation-${example}`, rows);
