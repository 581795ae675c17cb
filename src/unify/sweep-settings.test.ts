import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../config/project.js';
import { resolveModel } from '../config/resolve-models.js';
import { SWEEP_PATHS } from '../config/sweep-options.js';
import type { UnifyPlan } from '../config/unify-plan.js';
import { drawTrials, halvingRungs, withSettings } from './sweep-settings.js';

const sweep = (more: Partial<UnifyPlan['sweep']>): UnifyPlan['sweep'] => ({ trials: 5, method: 'random', seed: 1, stages: ['baseline'], settings: { dropout: [0, 0.1, 0.2], mlp: [[8], [16]] }, ...more });

describe('drawTrials', () => {
  it('is what is declared, then draws of one value per option, without repeats', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer(), fc.string(), (trials, seed, name) => {
        const options = sweep({ trials, seed });
        const drawn = drawTrials(options, name);
        expect(drawn[0]).toEqual({});
        // Three values and two make six settings.
        expect(drawn).toHaveLength(Math.min(trials, 1 + 6));
        expect(new Set(drawn.map((setting) => JSON.stringify(setting))).size).toBe(drawn.length);
        for (const setting of drawn.slice(1)) {
          expect(Object.keys(setting)).toEqual(['dropout', 'mlp']);
          for (const [path, value] of Object.entries(setting)) expect(options.settings[path]).toContainEqual(value);
        }
        expect(drawTrials(options, name)).toEqual(drawn);
      }),
    );
  });

  it('draws alike under one name, and apart under another or with another seed', () => {
    const wide = sweep({ trials: 8, settings: { a: [1, 2, 3, 4, 5, 6, 7, 8, 9], b: [1, 2, 3, 4, 5, 6, 7, 8, 9] } });
    expect(drawTrials(wide, 'start')).toEqual(drawTrials(wide, 'start'));
    expect(drawTrials(wide, 'efficiency')).not.toEqual(drawTrials(wide, 'start'));
    expect(drawTrials({ ...wide, seed: 2 }, 'start')).not.toEqual(drawTrials(wide, 'start'));
    // More trials go on where fewer end: what was trained already is not trained again.
    expect(drawTrials({ ...wide, trials: 12 }, 'start').slice(0, 8)).toEqual(drawTrials(wide, 'start'));
  });

  it('has nothing to draw without settings', () => {
    expect(drawTrials(sweep({ settings: {} }), 'start')).toEqual([{}]);
  });
});

describe('withSettings', () => {
  const resolve = (config: Omit<ModelConfig, 'preset'>) => resolveModel('m', { preset: 'unified', ...config }, undefined, 'click');
  const FULL = { transformer: {}, projection: {}, experts: {} } as const;

  it('gives the model that a config with these options resolves to', () => {
    expect(withSettings(resolve({}), { 'training.learningRate': 0.5, 'embedding.width': 4, 'cross.rank': 2, mlp: [3], dropout: 0.2 })).toEqual(
      resolve({ training: { learningRate: 0.5 }, embedding: { width: 4 }, cross: { rank: 2 }, mlp: [3], dropout: 0.2 }),
    );
    expect(withSettings(resolve(FULL), { 'transformer.width': 16, 'experts.count': 2, dropout: 0.3 })).toEqual(resolve({ ...FULL, transformer: { width: 16 }, experts: { count: 2 }, dropout: 0.3 }));
    expect(withSettings(resolve(FULL), { 'transformer.width': 16, 'transformer.feedForward': 8, dropout: 0.3, 'transformer.dropout': 0.1 })).toEqual(
      resolve({ ...FULL, transformer: { width: 16, feedForward: 8, dropout: 0.1 }, dropout: 0.3 }),
    );
  });

  it('leaves declared options where they are when the one they would follow changes', () => {
    const declared = { ...FULL, dropout: 0.1, transformer: { dropout: 0.4, feedForward: 10 } };
    expect(withSettings(resolve(declared), { dropout: 0.2, 'transformer.width': 32 })).toEqual(resolve({ ...declared, dropout: 0.2, transformer: { ...declared.transformer, width: 32 } }));
  });

  it('changes nothing of modules that the model lacks', () => {
    const model = resolve({});
    expect(withSettings(model, { 'transformer.width': 16, 'projection.width': 4, 'experts.count': 2 })).toEqual(model);
    expect(withSettings(model, {})).toEqual(model);
  });

  it('knows every option that a config may sweep', () => {
    const model = resolve(FULL);
    const known = JSON.stringify(Object.keys(model));
    for (const path of SWEEP_PATHS) expect(JSON.stringify(Object.keys(withSettings(model, { [path]: 'value' }))), path).toBe(known);
    for (const path of SWEEP_PATHS) expect(JSON.stringify(withSettings(model, { [path]: 'a value' })), path).toContain('"a value"');
  });
});

describe('halvingRungs', () => {
  it('halves how many go on and doubles what each gets, down to one that is trained to its end', () => {
    expect(halvingRungs(1)).toEqual([{ keep: 1, budget: 1 }]);
    expect(halvingRungs(4)).toEqual([
      { keep: 4, budget: 0.25 },
      { keep: 2, budget: 0.5 },
      { keep: 1, budget: 1 },
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (trials) => {
        const rungs = halvingRungs(trials);
        expect(rungs[0]!.keep).toBe(trials);
        expect(rungs.at(-1)).toEqual({ keep: 1, budget: 1 });
        for (const [index, { keep, budget }] of rungs.slice(1).entries()) {
          expect(keep).toBe(Math.ceil(rungs[index]!.keep / 2));
          expect(budget).toBe(2 * rungs[index]!.budget);
        }
      }),
    );
  });
});
