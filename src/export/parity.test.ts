import { describe, expect, it } from 'vitest';
import { ParityError } from '../config/errors.js';
import { checkBudget, overBudget, parityReport } from './parity.js';
import type { ReplayResult } from './replay.js';

const measured = (aucLoss: Readonly<Record<string, number>>): ReplayResult => ({ encodedRows: 900, rawRows: 80, maxDifference: 3e-4, maxLogitDifference: 2e-3, aucLoss });

describe('the parity budget of rounding', () => {
  it('is kept up to its limit, and by gains', () => {
    expect(overBudget(measured({ click: 1e-4, save: -0.2 }))).toBeUndefined();
    expect(() => checkBudget('search', 'int8 tables', measured({ click: 1e-4 }))).not.toThrow();
  });

  it('names surface, task and both numbers where it is broken', () => {
    const broken = measured({ click: 0, save: 1.2e-4 });
    expect(overBudget(broken)).toEqual(['save', 1.2e-4]);
    expect(() => checkBudget('search', 'int8 tables', broken)).toThrow(ParityError);
    expect(() => checkBudget('search', 'int8 tables', broken)).toThrow(/^search: int8 tables cost task "save" 1\.2e-4 of AUC; logits differ by up to 2\.0e-3$/);
  });

  it('is reported of the files as they are, beside how exact they are', () => {
    const exact = { ...measured({ click: 1e-8 }), maxDifference: 1e-7, maxLogitDifference: 1e-6 };
    expect(parityReport(exact, undefined)).toEqual({ encodedRows: 900, rawRows: 80, maxDifference: 1e-7, tolerance: 1e-5, precisionDifference: 0, maxLogitDifference: 1e-6, aucLoss: { click: 1e-8 } });
    expect(parityReport(exact, measured({ click: 5e-5 }))).toMatchObject({ maxDifference: 1e-7, precisionDifference: 3e-4, maxLogitDifference: 2e-3, aucLoss: { click: 5e-5 } });
  });
});
