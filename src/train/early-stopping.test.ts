import { describe, expect, it } from 'vitest';
import { EARLY_STOPPING_START, afterEvaluation } from './early-stopping.js';

const replay = (metric: 'logLoss' | 'auc', values: readonly number[]) =>
  values.reduce((state, value, index) => afterEvaluation(state, metric, index + 1, value), EARLY_STOPPING_START);

describe('afterEvaluation', () => {
  it('keeps the smallest log loss and the largest AUC', () => {
    expect(replay('logLoss', [0.5, 0.4, 0.4, 0.45])).toEqual({ best: { step: 2, value: 0.4 }, worse: 2 });
    expect(replay('auc', [0.5, 0.4, 0.6])).toEqual({ best: { step: 3, value: 0.6 }, worse: 0 });
  });

  it('counts NaN as worse', () => {
    expect(replay('auc', [NaN, 0.6, NaN])).toEqual({ best: { step: 2, value: 0.6 }, worse: 1 });
  });
});
