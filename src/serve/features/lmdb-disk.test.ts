/** The embedded store on a disk that is full. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onSmallDisk } from '../../../test/support/refusing-disk.js';
import { IoError } from '../../config/errors.js';
import { applyUpdate } from './apply-update.js';
import type { FeatureStore, FeatureUpdate, FeatureValues } from './feature-store.js';
import { openLmdbStore } from './lmdb-store.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-lmdb-disk-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const itemOf = async (store: FeatureStore, id: string): Promise<FeatureValues | undefined> => (await store.lookup({ userId: undefined, itemIds: [id], sequences: [], before: 0, limit: 0 })).items[0];

it('refuses what does not fit, keeps what it has, and takes it when there is room', async (context) => {
  const folder = join(directory, 'disk');
  mkdirSync(folder);
  const disk = onSmallDisk(context, folder);
  try {
    const store = await openLmdbStore(join(folder, 'store'));
    await store.write([{ item: 'before', features: { price: 1 } }]);
    disk.fill(16 * 1024);
    // Of names that no value had so far: they are lost with the transaction.
    const many: FeatureUpdate[] = Array.from({ length: 3000 }, (_, index) => ({ item: `i${index}`, features: { text: 'x'.repeat(100), place: index } }));
    const [refused, after] = await Promise.allSettled([store.write(many), store.write([{ item: 'after', features: { colour: 'red' } }])]);
    expect(refused).toMatchObject({ status: 'rejected', reason: { where: join(folder, 'store'), fix: /free space/ } });
    expect((refused as PromiseRejectedResult).reason).toBeInstanceOf(IoError);
    await expect(applyUpdate(store, many)).rejects.toMatchObject({ code: 'unavailable', message: /does not take/ });
    expect(await itemOf(store, 'before')).toEqual({ price: 1 });
    expect(await itemOf(store, 'i1')).toBeUndefined();
    disk.fill(500 * 1024);
    await store.write(many.slice(0, 3));
    await store.close();

    const again = await openLmdbStore(join(folder, 'store'));
    expect(await itemOf(again, 'i2')).toEqual({ text: 'x'.repeat(100), place: 2 });
    expect(await itemOf(again, 'after')).toEqual(after.status === 'fulfilled' ? { colour: 'red' } : undefined);
    await again.close();
  } finally {
    disk.unmount();
  }
});
