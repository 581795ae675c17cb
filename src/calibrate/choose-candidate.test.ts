import { describe, expect, it } from 'vitest';
import { simulatedCalibration, strayingViewTypes } from '../../test/fixtures/simulated-calibration.js';
import { applyLayer, softplus } from './apply-layer.js';
import { chooseSimplest, crossValidate, foldRows, type Judged } from './choose-candidate.js';
import { fitLevels } from './fit-levels.js';
import { tallyRows } from './binned-rows.js';
import { asOneGroup, taskRows } from './task-rows.js';
import { userFolds } from './user-folds.js';

const predictions = simulatedCalibration({ viewTypes: strayingViewTypes(), rows: 2000, users: 50 });
const rows = taskRows(predictions, predictions.tasks[0]!);
const folded = foldRows(rows, userFolds(rows.users, 4, 1));

describe('crossValidate', () => {
  it('judges each user by layers fitted without them', () => {
    const one = asOneGroup(rows);
    const folds = userFolds(one.users, 4, 1);
    const { losses, loss } = crossValidate({ candidate: { method: 'affine' }, folded: foldRows(one, folds), isCorrection: false });
    const expected = new Float64Array(losses.length);
    for (const fold of folds) {
      const [layer] = fitLevels(one, tallyRows(one, fold.map((held) => 1 - held)), { method: 'affine' }).layers;
      one.users.forEach((user, row) => {
        if (fold[user] === 1) expected[user]! += softplus(applyLayer(layer!, one.logits[row]!)) - one.labels[row]! * applyLayer(layer!, one.logits[row]!);
      });
    }
    // Losses are those at the bins' mean logits.
    expected.forEach((sum, user) => expect(losses[user]).toBeCloseTo(sum, 1));
    expect(loss).toBeCloseTo(expected.reduce((sum, value) => sum + value, 0) / rows.users.length, 4);
  });
});

describe('chooseSimplest', () => {
  /** A contender whose users lose this much each. */
  const judged = (method: 'identity' | 'shift' | 'temperature' | 'affine', lossOf: (user: number) => number): Judged => {
    const losses = Float64Array.from({ length: folded.folds[0]!.heldOut.length }, (_, user) => lossOf(user));
    return { candidate: { method }, folded, isCorrection: false, losses, loss: losses.reduce((sum, value) => sum + value, 0) / rows.users.length };
  };
  const choose = (...all: readonly Judged[]): string => chooseSimplest(all).candidate.method;

  it('takes what all users gain from, however little', () => {
    expect(choose(judged('identity', () => 1), judged('affine', () => 0.999))).toBe('affine');
  });

  it('leaves what only some users gain from, by chance', () => {
    const noise = (user: number): number => (user % 2 === 0 ? 1 : -1);
    expect(choose(judged('identity', () => 1), judged('affine', (user) => 0.95 + noise(user)))).toBe('identity');
    expect(choose(judged('identity', () => 1), judged('affine', (user) => 0.5 + noise(user)))).toBe('affine');
  });

  it('takes the better of two that are as simple', () => {
    expect(choose(judged('temperature', () => 1), judged('shift', (user) => 0.99 + 2 * (user % 2)), judged('affine', (user) => 0.98 + 2 * (user % 2)))).toBe('temperature');
    expect(choose(judged('shift', (user) => 1 + (user % 2)), judged('temperature', (user) => 1.01 + (user % 2)))).toBe('shift');
    expect(choose(judged('affine', () => 1), judged('shift', () => 1))).toBe('shift');
  });
});
