import { describe, expect, it } from 'vitest';
import type { ModelLayout } from './layout.js';
import { priorBias } from './surface-heads.js';

const layout = { tasks: [{ name: 'click' }, { name: 'save' }] } as unknown as ModelLayout;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe('prior bias', () => {
  it('predicts the base rate of each task of the surface', () => {
    const { bias } = priorBias({ search: { save: 0.01, click: 0.25 } }, 'search', layout);
    expect(bias!.map(sigmoid)).toEqual([expect.closeTo(0.25, 12), expect.closeTo(0.01, 12)]);
  });

  it('starts at 1/2 for a task without labelled rows and for a surface it knows nothing of', () => {
    expect(priorBias({ search: { click: 0.5 } }, 'search', layout).bias).toEqual([0, 0]);
    expect(priorBias({ search: { click: 0.5 } }, 'home_feed', layout)).toEqual({});
  });

  it('keeps rates of 0 and 1 finite', () => {
    const { bias } = priorBias({ search: { click: 0, save: 1 } }, 'search', layout);
    expect(bias!.map(sigmoid)).toEqual([expect.closeTo(1e-4, 12), expect.closeTo(1 - 1e-4, 12)]);
  });
});
