import { describe, expect, it } from 'vitest';
import type { ProjectConfig } from '../../config/project.js';
import { resolveProject } from '../../config/resolve.js';
import { STAGES } from '../../config/unify-plan.js';
import { explainPlan } from './explain-plan.js';

const base: ProjectConfig = {
  name: 'shop',
  surfaces: { home: { source: { files: 'h' } }, search: { source: { files: 's' } } },
  features: { ad: { kind: 'categorical', side: 'candidate' }, history: { kind: 'sequence', length: 10, fields: { ad: {} } } },
  tasks: { click: { label: 'clicked' }, save: { label: 'saved' } },
};
const explain = (more: Partial<ProjectConfig> = {}): string => explainPlan(resolveProject({ ...base, ...more }, { file: '/shop/onefold.config.ts' }));

/** The lines of one stage. */
const stageOf = (text: string, stage: string): string => new RegExp(String.raw`^\d+\. ${stage}\n((?: {3}.*\n)+)`, 'mu').exec(`${text}\n`)![1]!;

describe('explainPlan', () => {
  it('lists every stage in order, with what it does and its limits', () => {
    const text = explain();
    expect(text.split('\n').filter((line) => /^\d/u.test(line))).toEqual(STAGES.map((stage, index) => `${index + 1}. ${stage}`));
    expect(text.match(/^ {3}gate: /gmu)).toHaveLength(STAGES.length);
    expect(stageOf(text, 'separate')).toBe('   home: cross 2 layers, mlp [128, 64], tower [32]\n   search: cross 2 layers, mlp [128, 64], tower [32]\n   gate: each surface above chance\n');
    expect(stageOf(text, 'profile')).toBe('   groups surfaces whose costs are at least 0.7 alike\n   gate: none\n');
    expect(stageOf(text, 'baseline')).toContain('tower []\n   gate: no surface shown to lose more than 0.002 AUC (click, save)\n');
    expect(stageOf(text, 'shared-learning')).toMatch(/changes transformer \{"layers":2.*\}, experts \{"count":4/u);
    expect(stageOf(text, 'efficiency')).toContain('changes projection {"width":32');
    expect(stageOf(text, 'surface-aware')).toContain('changes tower [32]\n');
    expect(stageOf(text, 'surface-aware')).toContain("training FLOPs at most 1 × the separate models'; median latency at most 3 × the separate model's; exports at most 1 × the separate models' bytes");
    expect(stageOf(text, 'expand')).toContain('calibration within 1 ± 0.1 per view type');
    expect(text).toContain('Settings tried: no sweep.');
  });

  it('says what the config changes', () => {
    const text = explain({
      data: { outside: { click: 'theirs' } },
      unify: {
        order: [['home', 'search']],
        baseline: { mlp: [8] },
        efficiency: {},
        sharedLearning: { mlp: [4], cross: { rank: 2 }, training: { learningRate: 0.5 } },
        gates: { quality: false, gain: true, stages: { export: { size: 2, latency: false, trainingCost: false, calibration: false }, separate: { quality: false }, efficiency: { trainingCost: false, size: false, latency: false, gain: false } } },
        sweep: { trials: 3, method: 'halving', stages: ['baseline', 'efficiency'] },
        calibration: { methods: ['affine', 'isotonic'] },
        export: { tables: 'int8' },
      },
    });
    expect(stageOf(text, 'separate')).toBe("   an outside model's predictions, from the logs\n   gate: none\n");
    expect(stageOf(text, 'profile')).toContain('groups declared: home + search');
    expect(stageOf(text, 'shared-learning')).toBe('   changes cross.rank 2, mlp [4], training.learningRate 0.5\n   gate: a gain over all surfaces shown\n');
    expect(stageOf(text, 'efficiency')).toBe('   the same model\n   gate: none\n');
    expect(stageOf(text, 'calibration')).toContain('of affine, isotonic');
    // Exports are not compared: they have the model's predictions.
    expect(stageOf(text, 'export')).toBe("   tables int8, dense layers fp32\n   gate: exports at most 2 × the separate models' bytes\n");
    expect(text).toContain('Settings tried: 3 settings (halving) each at separate, baseline, efficiency.');
  });

  it('has nothing to say of one surface', () => {
    expect(explain({ surfaces: { home: { source: { files: 'h' } } } })).toBe('There is nothing to unify: the project has one surface.');
  });
});
