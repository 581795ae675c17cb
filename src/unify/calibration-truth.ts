/**
 * Calibration against true probabilities, where the data is simulated. Ratios and losses have none of the labels' noise, so what is
 * left to chance is which users were in the test rows, and which the layers were fitted to: both are resampled.
 */
import { applyLayer, sigmoid, softplus } from '../calibrate/apply-layer.js';
import { tallyRows, type Tally } from '../calibrate/binned-rows.js';
import { IDENTITY_LAYER, layerOf, type Calibration, type CalibrationLayer, type TaskCalibration } from '../calibrate/calibration.js';
import { nameLayers, type NamedLayers } from '../calibrate/name-layers.js';
import { resampledFits } from '../calibrate/resampled-fits.js';
import { totalOf } from '../calibrate/sum.js';
import { asOneGroup, taskRows, type TaskRows } from '../calibrate/task-rows.js';
import { countUsers, percentileInterval, resampleUsers, type BootstrapOptions } from '../evaluate/bootstrap.js';
import type { Predictions, TaskPredictions } from '../evaluate/predictions.js';
import type { CalibrationReport } from './report.js';

type Layers = NamedLayers & Pick<TaskCalibration, 'global'>;
type LayerOf = (surface: string, viewType: string) => CalibrationLayer;

/** Sums over the rows of a group. */
interface Sums {
  predicted: number;
  truth: number;
  loss: number;
  rows: number;
}

/** Sums of a task's rows by smallest group, through some layers, with true probabilities for labels. */
const sumGroups = ({ groups, bins }: TaskRows, { weights, positives, logits }: Tally, layer: LayerOf): readonly Sums[] =>
  groups.map(({ level, surface, name }, place) => {
    const sums = { predicted: 0, truth: 0, loss: 0, rows: 0 };
    const own = layer(surface, level === 2 ? name : '');
    for (let cell = place * bins; cell < (place + 1) * bins; cell += 1) {
      const weight = weights[cell]!;
      if (weight === 0) continue;
      const logit = applyLayer(own, logits[cell]! / weight);
      sums.predicted += weight * sigmoid(logit);
      sums.truth += positives[cell]!;
      sums.loss += weight * softplus(logit) - positives[cell]! * logit;
      sums.rows += weight;
    }
    return sums;
  });

const ratioOf = ({ predicted, truth }: Sums): number => predicted / truth;

const meanLoss = (groups: readonly Sums[]): number => groups.reduce((sum, { loss }) => sum + loss, 0) / groups.reduce((sum, { rows }) => sum + rows, 0);

const usersByGroup = ({ groups, groupOf, users }: TaskRows): readonly number[] => {
  const seen = groups.map(() => new Set<number>());
  groupOf.forEach((place, row) => seen[place]!.add(users[row]!));
  return seen.map(({ size }) => size);
};

export type TruthReport = Pick<CalibrationReport, 'truth' | 'truthLoss'>;

const NOTHING: TruthReport = { truth: [], truthLoss: [] };

const truthOfTask = (validation: Predictions, fittedOn: TaskPredictions, test: Predictions, task: TaskPredictions, layers: TaskCalibration, bootstrap: BootstrapOptions): TruthReport => {
  const rows = taskRows(test, task);
  const { truths, groups } = rows;
  if (truths === undefined || truths.length === 0) return NOTHING;
  const training = taskRows(validation, fittedOn);
  const through = (tally: Tally, { viewTypes, surfaces, global }: Layers): { readonly global: readonly Sums[]; readonly after: readonly Sums[] } => ({
    global: sumGroups(rows, tally, () => global),
    after: sumGroups(rows, tally, (surface, viewType) => layerOf({ viewTypes, surfaces, global }, surface, viewType)),
  });
  const all = tallyRows(rows, undefined, truths);
  const before = sumGroups(rows, all, () => IDENTITY_LAYER);
  const now = through(all, layers);

  const fittedUsers = resampleUsers(countUsers(validation.users), bootstrap);
  const { replicates, level, seed } = fittedUsers.info;
  const fitOwn = resampledFits(training, layers.method, seed);
  const fitGlobal = resampledFits(asOneGroup(training), layers.globalMethod, seed);
  // Drawn apart: who is in one of the splits says nothing of who is in the other.
  const testUsers = resampleUsers(countUsers(test.users), { ...bootstrap, seed: seed + 1 });
  const ratios = groups.map(() => new Float64Array(replicates));
  const gains = new Float64Array(replicates);
  fittedUsers.counts.forEach((drawn, replicate) => {
    const [global] = fitGlobal(drawn);
    const refitted = through(tallyRows(rows, testUsers.counts[replicate], truths), { ...nameLayers(training, fitOwn(drawn)), global: global! });
    refitted.after.forEach((sums, place) => {
      ratios[place]![replicate] = ratioOf(sums);
    });
    gains[replicate] = meanLoss(refitted.global) - meanLoss(refitted.after);
  });
  // Loss grows with the square of an error. Resampled fits have the error of the fit and their own on top, so they lose more than fits
  // on other users would: their gains are told from the middle of them, and that is put at what was found.

  const users = usersByGroup(rows);
  const [lossBefore, lossGlobal, lossAfter] = [meanLoss(before), meanLoss(now.global), meanLoss(now.after)];
  const difference = lossGlobal - lossAfter;
  const bias = totalOf(gains) / replicates - difference;
  return {
    truth: groups.flatMap(({ level: kind, name }, place) => {
      if (kind !== 2) return [];
      return [
        {
          task: task.task,
          viewType: name,
          rows: before[place]!.rows,
          before: ratioOf(before[place]!),
          global: ratioOf(now.global[place]!),
          after: ratioOf(now.after[place]!),
          interval: percentileInterval(ratios[place]!, level, users[place]!),
        },
      ];
    }),
    truthLoss: [
      {
        task: task.task,
        before: lossBefore,
        global: lossGlobal,
        after: lossAfter,
        difference,
        interval: percentileInterval(gains.map((gain) => gain - bias), level, new Set(rows.users).size),
      },
    ],
  };
};

/**
 * Each task of which every labelled test row has a true probability; others are left out.
 *
 * @param validation what the calibration was fitted on
 */
export const calibrationTruth = (validation: Predictions, test: Predictions, calibration: Calibration, bootstrap: BootstrapOptions): TruthReport => {
  const found = test.tasks.map((task) => {
    const layers = calibration.tasks.find((one) => one.task === task.task);
    const fittedOn = validation.tasks.find((one) => one.task === task.task);
    return layers === undefined || fittedOn === undefined ? NOTHING : truthOfTask(validation, fittedOn, test, task, layers, bootstrap);
  });
  return { truth: found.flatMap(({ truth }) => truth), truthLoss: found.flatMap(({ truthLoss }) => truthLoss) };
};
