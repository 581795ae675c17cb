/**
 * `npm run bench:calibration [-- CANDIDATES]`: a calibration layer per view type against one global layer, where the true
 * probability of every row is known. Trains the model of the quickstart's last stage on a larger marketplace, fits both on the
 * validation days, and measures both on the test days against the truth.
 */
import { join } from 'node:path';
import { fitCalibration } from '../dist/calibrate/fit-calibration.js';
import { CALIBRATION_METHODS } from '../dist/config/unify-plan.js';
import { loadProject } from '../dist/config/load.js';
import { calibrationReport } from '../dist/unify/calibration-report.js';
import { openPrepared } from '../dist/unify/open-prepared.js';
import { scoreModel } from '../dist/unify/score-model.js';
import { deriveConfig, onefold, ROOT, writeResults } from './onefold.mjs';

const candidates = process.argv[2] ?? '3000000';
const workspace = join(ROOT, 'examples', 'quickstart', '.onefold', `calibration-${candidates}`);
const data = join(workspace, 'marketplace');
const models = {
  unified: {
    preset: 'unified',
    embedding: { width: 12 },
    cross: { layers: 2, rank: 96 },
    mlp: [64, 32],
    tower: [32],
    dropout: 0.1,
    transformer: { layers: 1, width: 32, read: 'candidate', dropout: 0.2 },
    projection: { width: 16 },
    experts: { count: 3, hidden: [32] },
    training: { learningRate: 6e-3, batchSize: 1024, epochs: 1, evaluationsPerEpoch: 4, earlyStopping: { metric: 'logLoss', task: 'click', patience: 2 } },
  },
};
const config = deriveConfig('quickstart', `calibration-${candidates}`, { workspace, models });
const project = ['--config', config, '--data', data];
const note = (text) => process.stdout.write(`${text}\n`);

note(`simulate ${candidates} candidates`);
onefold('simulate', data, '--candidates', candidates, '--force');
note('prepare');
onefold('prepare', ...project);
note('train');
onefold('train', 'unified', ...project, '--resume');
note('score');
const loaded = await loadProject(config, { data });
const { directory, manifest } = await openPrepared(loaded);
const score = (split) => scoreModel({ project: loaded, model: loaded.models.unified, manifest, directory, split });
const [validation, test] = [await score('validation'), await score('test')];
note('calibrate');
const started = performance.now();
const calibration = fitCalibration(validation, { methods: CALIBRATION_METHODS, folds: 5 });
const seconds = (performance.now() - started) / 1000;
note(`  ${validation.count} rows, ${calibration.tasks.map(({ task, method, globalMethod }) => `${task}: ${method} (global: ${globalMethod})`).join(', ')}, in ${seconds.toFixed(1)} s`);
const { truth, truthLoss, comparison } = calibrationReport(validation, test, calibration);

const number = (value) => value.toFixed(3);
note(`\n${'predictions / true probabilities'.padEnd(36)}${['rows', 'before', 'global', 'per view type'].map((name) => name.padStart(14)).join('')}   95 % interval`);
for (const { task, viewType, rows, before, global, after, interval } of truth) {
  note(`${`${task} ${viewType}`.padEnd(36)}${[String(rows), number(before), number(global), number(after)].map((text) => text.padStart(14)).join('')}   [${number(interval.low)}, ${number(interval.high)}]`);
}
note(`\n${'expected log loss under the truth'.padEnd(36)}${['before', 'global', 'per view type', 'global − per'].map((name) => name.padStart(14)).join('')}   95 % interval`);
for (const { task, before, global, after, difference, interval } of truthLoss) {
  note(`${task.padEnd(36)}${[before, global, after, difference].map((value) => value.toFixed(6).padStart(14)).join('')}   [${interval.low.toExponential(1)}, ${interval.high.toExponential(1)}]`);
}
const isRight = ({ after, interval }) => Math.abs(after - 1) <= 0.01 || (interval.low <= 1 && interval.high >= 1);
writeResults('calibration', [
  ...truth.map((row) => ({ name: `${row.task} ${row.viewType}: predictions / true probabilities`, ...row, target: 'within 1 %, or the interval holds 1', met: isRight(row) })),
  ...truthLoss.map((row) => ({ name: `${row.task}: expected log loss, one global layer less a layer per view type`, ...row, target: 'interval above 0', met: row.interval.low > 0 })),
  ...comparison.tasks.map(({ task, overall: { metrics } }) => ({ name: `${task}: log loss on labels, a layer per view type against one global layer`, ...metrics.logLoss })),
  { name: 'seconds to fit', value: seconds, rows: validation.count, candidates: Number(candidates) },
]);
