import { describe, expect, it } from 'vitest';
import type { Project } from '../../config/project.js';
import { validationLoss } from './sweep.js';

const project = { tasks: [{ name: 'click', weight: 1 }, { name: 'save', weight: 0.5 }] } as unknown as Project;
const point = (step: number, click: number, save?: number) => ({ step, scalars: { 'click/overall/logLoss': click, 'click/home/logLoss': 9, 'click/overall/auc': 0.9, ...(save === undefined ? {} : { 'save/overall/logLoss': save }) } });

describe('validationLoss', () => {
  const curves = [point(10, 0.5, 0.4), point(20, 0.3, 0.2), point(30, 0.35, 0.1)];

  it("is the tasks' log losses where the kept checkpoint is from, weighted", () => {
    expect(validationLoss(project, { curves, keptStep: 20 })).toBeCloseTo(0.3 + 0.5 * 0.2, 12);
    expect(validationLoss(project, { curves, keptStep: 10 })).toBeCloseTo(0.5 + 0.5 * 0.4, 12);
  });

  it('is the last one without early stopping', () => {
    expect(validationLoss(project, { curves, keptStep: null })).toBeCloseTo(0.35 + 0.5 * 0.1, 12);
  });

  it('leaves out tasks that the surfaces lack', () => {
    expect(validationLoss(project, { curves: [point(10, 0.5)], keptStep: 10 })).toBe(0.5);
  });

  it('is a number that JSON holds where nothing was held out', () => {
    expect(validationLoss(project, { curves: [], keptStep: null })).toBe(0);
  });
});
