import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IoError, UsageError } from '../../config/errors.js';
import { openFeatureStore } from './open-feature-store.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-open-store-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('openFeatureStore', () => {
  it('makes a folder that is not there, unless it must exist', async () => {
    const folder = join(directory, 'store');
    const refused: unknown = await openFeatureStore(folder, { mustExist: true, where: '--features' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(IoError);
    expect(refused).toMatchObject({ message: `${folder} holds no feature store`, where: '--features', fix: expect.stringContaining('`onefold features load`') as string });
    expect(existsSync(folder)).toBe(false);
    await (await openFeatureStore(folder)).close();
    await (await openFeatureStore(folder, { mustExist: true })).close();
  });

  it('refuses a folder of other things that must be a store', async () => {
    await expect(openFeatureStore(directory, { mustExist: true })).rejects.toMatchObject({ where: directory, expected: expect.stringContaining('a folder that') as string });
    expect(readdirSync(directory)).toEqual([]);
  });

  it.each(['http://x', 'http:/x', 'REDIS://localhost:6379', 'redis:/localhost', 'memcached+tls://:secret@localhost'])('takes %s for no folder', async (location) => {
    const refused: unknown = await openFeatureStore(location, { where: '--features' }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(UsageError);
    expect(refused).toMatchObject({ where: '--features', expected: expect.stringMatching(/a folder, or redis:.*rediss:.*valkey:.*valkeys:/u) as string });
    expect((refused as UsageError).message).not.toContain('secret');
    expect(existsSync(location)).toBe(false);
  });
});
