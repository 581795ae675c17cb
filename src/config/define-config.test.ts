import { describe, expect, expectTypeOf, test } from 'vitest';
import { defineConfig, type ConfigFunction, type ConfigInput, type ProjectConfig } from './define-config.js';

const surfaces = { home: { source: { files: 'home.csv' } }, search: { source: { sql: 'from search' } } } as const;

describe('defineConfig', () => {
  test('returns the config, or the function, as it is', () => {
    const config = {
      name: 'shop',
      surfaces,
      features: { ad: { kind: 'categorical', side: 'candidate', surfaces: ['home'] } },
      tasks: { click: { label: 'clicked' } },
    } as const;
    expect(defineConfig(config)).toBe(config);
    const make = () => config;
    expect(defineConfig(make)).toBe(make);
  });

  test('names are inferred from the keys', () => {
    const config = defineConfig({
      name: 'shop',
      surfaces,
      features: { ad: { kind: 'categorical', side: 'candidate', surfaces: ['home'], on: { search: { column: 'x' } } } },
      tasks: { click: { label: 'clicked', surfaces: ['search'] } },
      data: { truth: { click: 'p' } },
      training: { earlyStopping: { task: 'click' } },
    });
    expectTypeOf(config).toEqualTypeOf<ConfigInput<'home' | 'search', 'ad', 'click'>>();
    expectTypeOf<ProjectConfig<'home', 'ad', 'click'>>().toExtend<ProjectConfig>();
    expectTypeOf<ConfigFunction<'home', 'ad', 'click'>>().toExtend<ConfigFunction>();
    expectTypeOf<NonNullable<ProjectConfig<'home' | 'search'>['features'][string]['surfaces']>>().toEqualTypeOf<readonly ('home' | 'search')[]>();
  });

  // tsc checks these lines (`npm run types`): without an error under it, an @ts-expect-error is an error itself.
  test('a name with a typo does not compile', () => {
    const features = { ad: { kind: 'categorical', side: 'candidate' } } as const;
    const tasks = { click: { label: 'clicked' } };
    // @ts-expect-error surface in features.*.surfaces
    defineConfig({ name: 'a', surfaces, tasks, features: { ad: { kind: 'categorical', side: 'candidate', surfaces: ['hme'] } } });
    // @ts-expect-error surface in features.*.on
    defineConfig({ name: 'a', surfaces, tasks, features: { ad: { kind: 'categorical', side: 'candidate', on: { hme: { column: 'x' } } } } });
    // @ts-expect-error surface of a sequence
    defineConfig({ name: 'a', surfaces, tasks, features: { h: { kind: 'sequence', length: 3, fields: { ad: {} }, surfaces: ['hme'] } } });
    // @ts-expect-error surface in tasks.*.surfaces
    defineConfig({ name: 'a', surfaces, features, tasks: { click: { label: 'clicked', surfaces: ['hme'] } } });
    // @ts-expect-error surface in tasks.*.on
    defineConfig({ name: 'a', surfaces, features, tasks: { click: { label: 'clicked', on: { hme: { label: 'x' } } } } });
    // @ts-expect-error task in data.truth
    defineConfig({ name: 'a', surfaces, features, tasks, data: { truth: { clik: 'p' } } });
    // @ts-expect-error task in training.earlyStopping
    defineConfig({ name: 'a', surfaces, features, tasks, training: { earlyStopping: { task: 'clik' } } });
    // @ts-expect-error task in models.*.training.earlyStopping
    defineConfig({ name: 'a', surfaces, features, tasks, models: { m: { preset: 'unified', training: { earlyStopping: { task: 'clik' } } } } });
    // @ts-expect-error task in surfaces.*.negativeSampling
    defineConfig({ name: 'a', features, tasks, surfaces: { home: { source: { sql: 'x' }, negativeSampling: { task: 'clik', rate: 0.5 } } } });
    // @ts-expect-error option that is not there
    defineConfig({ name: 'a', surfaces, features, tasks, trainig: {} });
    // @ts-expect-error surface in the function form
    defineConfig(({ data }) => ({ name: data, surfaces, features: { ad: { kind: 'number', side: 'request', surfaces: ['hme'] } }, tasks }));
    expect(true).toBe(true);
  });
});
