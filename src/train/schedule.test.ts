import { describe, expect, it } from 'vitest';
import { scheduleFactor } from './schedule.js';

describe('scheduleFactor', () => {
  const at = (step: number, decay: 'constant' | 'linear' | 'cosine'): number =>
    scheduleFactor(step, 110, { warmupSteps: 10, decay, finalLearningRate: 0.1 });

  it('rises linearly, never from zero', () => {
    expect([1, 5, 10].map((step) => at(step, 'cosine'))).toEqual([0.1, 0.5, 1]);
  });

  it('stays, or falls to the final rate', () => {
    expect([11, 60, 110, 500].map((step) => at(step, 'constant'))).toEqual([1, 1, 1, 1]);
    expect(at(60, 'linear')).toBeCloseTo(0.55);
    expect(at(60, 'cosine')).toBeCloseTo(0.55);
    expect(at(35, 'cosine')).toBeCloseTo(0.1 + 0.9 * 0.5 * (1 + Math.SQRT1_2));
    for (const decay of ['linear', 'cosine'] as const) {
      expect(at(110, decay)).toBeCloseTo(0.1);
      expect(at(500, decay)).toBeCloseTo(0.1);
    }
  });

  it('needs no warm-up, and a run may end within it', () => {
    const options = { warmupSteps: 0, decay: 'linear', finalLearningRate: 0 } as const;
    expect(scheduleFactor(1, 2, options)).toBe(0.5);
    expect(scheduleFactor(5, 6, { ...options, warmupSteps: 10 })).toBe(0.5);
  });
});
