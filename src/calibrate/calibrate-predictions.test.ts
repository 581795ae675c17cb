import { describe, expect, it } from 'vitest';
import { simulatedCalibration, strayingViewTypes } from '../../test/fixtures/simulated-calibration.js';
import type { Predictions } from '../evaluate/predictions.js';
import { applyLayer, logitOf, sigmoid } from './apply-layer.js';
import { calibratePredictions, globalOnly } from './calibrate-predictions.js';
import { layerOf } from './calibration.js';
import { fitCalibration } from './fit-calibration.js';

const viewTypes = strayingViewTypes({ seed: 3 });
const predictions = simulatedCalibration({ viewTypes, rows: 6000, tasks: ['click', 'save'] });

/** The same rows as a model sees them that was trained with a part of the negatives: all logits are higher. */
const downSampled = (rate: number): Predictions => ({
  ...predictions,
  tasks: predictions.tasks.map((task) => ({ ...task, probabilities: task.probabilities.map((probability) => sigmoid(logitOf(probability) - Math.log(rate))) })),
});
/** As scoring undoes it. */
const corrected = (of: Predictions, rate: number): Predictions => ({
  ...of,
  tasks: of.tasks.map((task) => ({ ...task, probabilities: task.probabilities.map((probability) => sigmoid(logitOf(probability) + Math.log(rate))) })),
});

describe('calibratePredictions', () => {
  const calibration = fitCalibration(predictions, { methods: ['affine', 'isotonic'], folds: 2 });

  it('puts every row through its layer, and leaves the rest', () => {
    const { tasks, ...rest } = calibratePredictions(calibration, predictions);
    expect(rest).toEqual({ ...predictions, tasks: undefined, ...rest });
    tasks.forEach(({ task, labels, probabilities }, index) => {
      const before = predictions.tasks[index]!;
      expect(labels).toBe(before.labels);
      for (let row = 0; row < predictions.count; row += 997) {
        const layer = layerOf(calibration.tasks.find((one) => one.task === task)!, predictions.surfaceNames[predictions.surfaces[row]!]!, predictions.viewTypeNames[predictions.viewTypes[row]!]!);
        expect(probabilities[row]).toBe(Math.fround(sigmoid(applyLayer(layer, logitOf(before.probabilities[row]!)))));
      }
    });
    const one = calibratePredictions(globalOnly(calibration), predictions).tasks[0]!;
    expect(one.probabilities[5]).toBe(Math.fround(sigmoid(applyLayer(calibration.tasks[0]!.global, logitOf(predictions.tasks[0]!.probabilities[5]!)))));
  });

  it('leaves tasks without layers, and rows without predictions', () => {
    const [click, save] = predictions.tasks;
    const gaps = { ...click!, probabilities: click!.probabilities.map((probability, row) => (row % 3 === 0 ? NaN : probability)) };
    const found = calibratePredictions({ ...calibration, tasks: calibration.tasks.filter(({ task }) => task === 'click') }, { ...predictions, tasks: [gaps, save!] });
    expect(found.tasks[1]).toBe(save);
    expect([found.tasks[0]!.probabilities[0], Number.isNaN(found.tasks[0]!.probabilities[1])]).toEqual([NaN, false]);
  });

  it.each(['shift', 'affine', 'beta', 'isotonic'] as const)('composes with the correction of down-sampling: %s', (method) => {
    const rate = 0.2;
    const sampled = corrected(downSampled(rate), rate);
    const options = { methods: [method], folds: 2 };
    const [fitted, original] = [fitCalibration(sampled, options).tasks[0]!, fitCalibration(predictions, options).tasks[0]!];
    // The correction gives back the model's own logits but for float32, so the layers are the same, and what is served is the layer of the corrected logit.
    for (const [name, layer] of Object.entries(original.viewTypes)) for (const z of [-5, -2, 0]) expect(applyLayer(fitted.viewTypes[name]!, z)).toBeCloseTo(applyLayer(layer, z), 2);
    const after = calibratePredictions({ version: 1, tasks: [fitted] }, sampled).tasks[0]!;
    const raw = downSampled(rate).tasks[0]!;
    for (let row = 0; row < predictions.count; row += 997) {
      const layer = layerOf(fitted, predictions.surfaceNames[predictions.surfaces[row]!]!, predictions.viewTypeNames[predictions.viewTypes[row]!]!);
      expect(after.probabilities[row]).toBeCloseTo(sigmoid(applyLayer(layer, logitOf(raw.probabilities[row]!) + Math.log(rate))), 6);
    }
  });
});
