import { describe, expect, it } from 'vitest';
import { UsageError } from '../config/errors.js';
import type { ProjectConfig, TrainingConfig } from '../config/project.js';
import { resolveProject } from '../config/resolve.js';
import type { PreparedManifest } from '../data/prepared.js';
import { configHash, evaluationFile, groupRuns, modelNamed } from './model-run.js';

const CONFIG = {
  name: 'runs',
  surfaces: { home: { source: { files: 'h' } }, search: { source: { files: 's' } } },
  features: { ad: { kind: 'categorical', side: 'candidate' }, price: { kind: 'number', side: 'candidate' } },
  tasks: { click: { label: 'click' } },
} as const satisfies ProjectConfig;

const resolve = (config: ProjectConfig = CONFIG) => resolveProject(config, { file: '/runs/onefold.config.ts' });
const project = resolve();
const manifest = { key: 'data-1' } as PreparedManifest;

describe('groupRuns', () => {
  it('is one run of all surfaces for a unified model, and one per surface otherwise', () => {
    expect(groupRuns(project, project.models['unified']!)).toEqual([{ name: 'all', surfaces: ['home', 'search'], directory: '/runs/.onefold/runs/unified/all' }]);
    expect(groupRuns(project, project.models['separate']!)).toEqual([
      { name: 'home', surfaces: ['home'], directory: '/runs/.onefold/runs/separate/home' },
      { name: 'search', surfaces: ['search'], directory: '/runs/.onefold/runs/separate/search' },
    ]);
  });
});

describe('modelNamed', () => {
  it('finds a model of the config', () => {
    expect(modelNamed(project, 'linear')).toBe(project.models['linear']);
  });

  it.each([['unifed', /did you mean "unified"/], ['constructor', /no model "constructor"/], ['__proto__', /no model/]])('refuses "%s", naming those there are', (name, message) => {
    const error = (() => {
      try {
        return modelNamed(project, name);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toMatch(message);
    expect((error as UsageError).expected).toContain('separate');
  });
});

describe('configHash', () => {
  const hashWith = (config: ProjectConfig, key = 'data-1'): string => {
    const changed = resolve(config);
    const model = changed.models['unified']!;
    return configHash(changed, model, groupRuns(changed, model)[0]!, { ...manifest, key });
  };
  const training = (options: TrainingConfig): ProjectConfig => ({ ...CONFIG, training: options });
  const base = hashWith(CONFIG);

  it('is the same for the same config, on any number of threads', () => {
    expect(hashWith(CONFIG)).toBe(base);
    expect(hashWith(training({ threads: 1 }))).toBe(hashWith(training({ threads: 7 })));
  });

  it.each<[string, ProjectConfig]>([
    ['the seed', training({ seed: 2 })],
    ['the learning rate', training({ learningRate: 0.5 })],
    ['early stopping', training({ earlyStopping: { metric: 'auc' } })],
    ['the model', { ...CONFIG, models: { unified: { preset: 'unified', mlp: [8] } } }],
    ["a feature's embedding width", { ...CONFIG, features: { ...CONFIG.features, ad: { ...CONFIG.features.ad, width: 3 } } }],
  ])('changes with %s', (_, config) => {
    expect(hashWith(config)).not.toBe(base);
  });

  it('changes with the data and the surfaces', () => {
    expect(hashWith(CONFIG, 'data-2')).not.toBe(base);
    const separate = project.models['separate']!;
    const hashes = groupRuns(project, separate).map((run) => configHash(project, separate, run, manifest));
    expect(new Set(hashes).size).toBe(2);
  });
});

describe('evaluationFile', () => {
  it('keeps evaluations at served values apart from those at logged ones', () => {
    const model = project.models['unified']!;
    expect(evaluationFile(project, model, 'test')).toBe('/runs/.onefold/runs/unified/evaluation-test.json');
    expect(evaluationFile(project, model, 'test', 'serving')).toBe('/runs/.onefold/runs/unified/evaluation-test-serving.json');
  });
});
