import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogWorkplace, homeConfig, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import { ArtifactError } from '../config/errors.js';
import type { ProjectConfig } from '../config/project.js';
import { prepare } from '../data/prepare.js';
import { openPrepared } from './open-prepared.js';

let place: LogWorkplace;

beforeAll(async () => {
  place = createLogWorkplace();
  await place.write('home.parquet', requestLog());
  await prepare(place.project(homeConfig));
});

afterAll(() => {
  place.remove();
});

const changed = (config: Partial<ProjectConfig>) => openPrepared(place.project({ ...homeConfig, ...config }));

describe('openPrepared', () => {
  it('opens the dataset of a config, whatever the models are', async () => {
    const { directory, manifest } = await openPrepared(place.project(homeConfig));
    expect(directory).toBe(place.path('work/prepared'));
    expect(manifest.project).toBe('logs');
    expect((await changed({ models: { deep: { preset: 'unified', mlp: [4] } }, training: { epochs: 3 } })).manifest.key).toBe(manifest.key);
    expect((await changed({ data: { memoryLimit: '1GB' } })).manifest.key).toBe(manifest.key);
  });

  it.each<[string, Partial<ProjectConfig>]>([
    ['a feature more', { features: { ...homeConfig.features, position: { kind: 'number', side: 'candidate' } } }],
    ['another encoding', { features: { ...homeConfig.features, price: { kind: 'number', side: 'candidate', encoding: { type: 'log' } } } }],
    ['another split', { split: { validation: 0.2, test: 0.2 } }],
    ['another task weight', { tasks: { click: { label: 'click', weight: 2 } } }],
  ])('refuses one that was prepared before the config changed: %s', async (_, config) => {
    const error = await changed(config).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ArtifactError);
    expect((error as ArtifactError).fix).toContain('onefold prepare');
  });

  it('says where none is', async () => {
    await expect(openPrepared(place.project({ ...homeConfig, workspace: 'elsewhere' }))).rejects.toThrow(/there is no prepared dataset at .*elsewhere/);
  });
});
