/**
 * `npm run bench:ceiling [-- CANDIDATES]`: how close to the best possible model? On the simulated marketplace the true
 * probability of every row is known. Prints how far the log loss of the unified model and of a logistic regression on the
 * same raw features lies above that of the true probabilities.
 */
import { join } from 'node:path';
import { deriveConfig, onefold, ROOT, writeResults } from './onefold.mjs';

const candidates = process.argv[2] ?? '3000000';
const workspace = join(ROOT, 'examples', 'quickstart', '.onefold', `ceiling-${candidates}`);
const data = join(workspace, 'marketplace');
// All but the last two days to learn from.
const split = { validationFrom: '2026-01-17', testFrom: '2026-01-18' };
const config = deriveConfig('quickstart', `ceiling-${candidates}`, { workspace, split });
const project = ['--config', config, '--data', data];
const note = (text) => process.stdout.write(`${text}\n`);

note(`simulate ${candidates} candidates`);
onefold('simulate', data, '--candidates', candidates, '--force');
note('prepare');
onefold('prepare', ...project);
const excess = {};
const rows = [];
for (const model of ['unified', 'linear']) {
  note(`train ${model}`);
  const { runs } = onefold('train', model, ...project);
  const { tasks } = onefold('evaluate', model, ...project);
  const click = tasks.find(({ task }) => task === 'click');
  excess[model] = click.overall.metrics.excess;
  for (const slice of [click.overall, ...click.surfaces]) {
    rows.push({ model, slice: slice.name, rows: slice.rows, logLoss: slice.metrics.logLoss, floor: slice.metrics.floor, excess: slice.metrics.excess });
  }
  note(`  trained in ${runs.reduce((sum, run) => sum + run.seconds, 0).toFixed(0)} s`);
}
note('\nclick, held-out test split           log loss    of true probabilities    above them');
for (const { model, slice, logLoss, floor, excess: above } of rows) {
  note(`${model.padEnd(10)} ${slice.padEnd(22)} ${logLoss.toFixed(5)}     ${floor.toFixed(5)}                ${(100 * above).toFixed(2)} %`);
}
const ratio = excess.linear / excess.unified;
note(`\nunified is ${(100 * excess.unified).toFixed(2)} % above the best possible log loss (target: at most 2 %)`);
note(`logistic regression is ${(100 * excess.linear).toFixed(2)} % above it: ${ratio.toFixed(1)}× as far (target: at least 3×)`);
writeResults('ceiling', [
  { name: 'unified, log loss above that of the true probabilities', value: excess.unified, unit: 'fraction', target: 0.02, met: excess.unified <= 0.02, candidates: Number(candidates), slices: rows },
  { name: 'logistic regression against unified, distance above the true probabilities', value: ratio, unit: 'ratio', target: 3, met: ratio >= 3, candidates: Number(candidates) },
]);
