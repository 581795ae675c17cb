import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IoError, UsageError } from '../../config/errors.js';
import type { FeatureStore } from './feature-store.js';

/** How long a store on the network may take until it answers for the first time. */
const FIRST_ANSWER_MS = 2000;

/** Whether a location is one of Redis or Valkey. */
export const isRemoteStore = (location: string): boolean => /^(rediss?|valkeys?):\/\//.test(location);

export interface StoreOpening {
  /** A folder that holds no store is refused rather than made. */
  readonly mustExist?: boolean;
  /** The option or argument that has the location, for messages; left out: the location itself. */
  readonly where?: string;
}

/** A scheme of URLs; of one letter it is a drive. */
const SCHEME = /^[a-z][a-z\d+.-]+:\//iu;

const unknownScheme = (location: string, where: string | undefined): UsageError => {
  // Without a password that the URL may have.
  const shown = location.replace(/\/\/[^@/]*@/, '//');
  return new UsageError(`${shown} is no feature store`, {
    where: where ?? shown,
    expected: 'a folder, or redis://HOST:PORT, rediss://…, valkey://… or valkeys://…',
    fix: 'name one of these',
  });
};

/**
 * Opens a feature store: a folder is LMDB's, `redis://` and `valkey://` are on the network. One that does not answer yet is
 * opened all the same: requests go on without it until it does.
 *
 * @throws UsageError for a location of another kind; IoError when the folder cannot be used, or with `mustExist` holds no store
 */
export const openFeatureStore = async (location: string, { mustExist = false, where }: StoreOpening = {}): Promise<FeatureStore> => {
  if (!isRemoteStore(location)) {
    if (SCHEME.test(location)) throw unknownScheme(location, where);
    if (mustExist && !existsSync(join(location, 'data.mdb'))) {
      throw new IoError(`${location} holds no feature store`, { where: where ?? location, expected: 'a folder that `onefold features load` or `put` has written', fix: 'check the path, or fill it with `onefold features load`' });
    }
    const { openLmdbStore } = await import('./lmdb-store.js');
    return openLmdbStore(location);
  }
  const { openRedisStore } = await import('./redis-store.js');
  const store = openRedisStore(location.replace(/^valkey/, 'redis'));
  await store.ready(FIRST_ANSWER_MS);
  return store;
};
