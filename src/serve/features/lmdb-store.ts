/** The embedded store: LMDB in a folder. Reads are of mapped memory, and do not wait for writes; several processes may read. */
import { accessSync, constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { IoError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';
import { EventList } from './event-list.js';
import { LONGEST_ID, NO_EVENTS, type FeatureStore, type FeatureUpdate, type FeatureValues, type StoredEvents, type StoreQuery } from './feature-store.js';

interface Expiring {
  /** Epoch ms; 0: never. */
  readonly until: number;
}

interface StoredRecord extends Expiring {
  readonly values: FeatureValues;
}

interface StoredHistory extends Expiring, StoredEvents {}

type HistoryKey = [sequence: string, user: string];

/**
 * Where a database keeps the names of its values' fields, once: values without them are read in less than half the time.
 * Other processes read it as soon as they meet a value that needs it.
 */
const STRUCTURES = Symbol.for('structures');

/** What LMDB's types do not tell of a database: its encoder, which remembers {@link STRUCTURES}. */
interface Encoded {
  readonly encoder: { clearSharedData(): void };
}

/** Expired values that one transaction removes. */
const SWEPT_TOGETHER = 1000;

const untilOf = (ttl: number | undefined): number => (ttl === undefined ? 0 : Date.now() + 1000 * ttl);

const alive = <T extends Expiring>(entry: T | undefined, now: number): T | undefined => (entry === undefined || (entry.until !== 0 && entry.until <= now) ? undefined : entry);

/** The newest events strictly before a moment. */
const eventsBefore = ({ times, fields }: StoredEvents, before: number, limit: number): StoredEvents => {
  let end = times.length;
  while (end > 0 && times[end - 1]! >= before) end -= 1;
  const start = Math.max(0, end - limit);
  if (start === end) return NO_EVENTS;
  if (start === 0 && end === times.length) return { times, fields };
  return { times: times.slice(start, end), fields: Object.fromEntries(Object.entries(fields).map(([name, values]) => [name, values.slice(start, end)])) };
};

/** The file that holds everything, and the one where readers say what they read, so that no writer takes its place. */
const DATA = 'data.mdb';

const LOCK = 'lock.mdb';

/** Why a file cannot be written; undefined where it can, or is not there yet. */
const refusalOf = (file: string): string | undefined => {
  try {
    accessSync(file, constants.W_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? undefined : code;
  }
};

class LmdbStore implements FeatureStore {
  readonly #root: RootDatabase;
  readonly #users: Database<StoredRecord, string>;
  readonly #items: Database<StoredRecord, string>;
  readonly #histories: Database<StoredHistory, HistoryKey>;

  readonly #directory: string;
  readonly #isReadOnly: boolean;
  #last: Promise<void> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
    this.#isReadOnly = refusalOf(join(directory, DATA)) !== undefined;
    // Every write is a transaction here. Of those that LMDB would gather by itself it rejects promises that nobody has.
    this.#root = open({ path: directory, noSubdir: false, maxDbs: 8, eventTurnBatching: false, readOnly: this.#isReadOnly });
    const database = <V, K extends string | HistoryKey>(name: string): Database<V, K> => this.#root.openDB<V, K>({ name, sharedStructuresKey: STRUCTURES });
    this.#users = database('users');
    this.#items = database('items');
    this.#histories = database('histories');
  }

  lookup({ userId, itemIds, sequences, before, limit }: StoreQuery): ReturnType<FeatureStore['lookup']> {
    const now = Date.now();
    const record = (database: Database<StoredRecord, string>, id: string | null | undefined): FeatureValues | undefined =>
      id === null || id === undefined || id.length > LONGEST_ID ? undefined : alive(database.get(id), now)?.values;
    const events = sequences.map((sequence) => {
      const found = userId === undefined || userId.length > LONGEST_ID ? undefined : alive(this.#histories.get([sequence, userId]), now);
      return found === undefined ? NO_EVENTS : eventsBefore(found, before, limit);
    });
    return Promise.resolve({ user: record(this.#users, userId), items: itemIds.map((id) => record(this.#items, id)), events });
  }

  async write(updates: readonly FeatureUpdate[]): Promise<void> {
    await this.#transact(() => {
      this.#put(updates, Date.now());
    });
  }

  async counts(): ReturnType<FeatureStore['counts']> {
    const count = (database: Database<unknown, never>): number => {
      const { entryCount } = database.getStats() as { readonly entryCount: number };
      return entryCount - (database.doesExist(STRUCTURES as never) ? 1 : 0);
    };
    return Promise.resolve({ users: count(this.#users as never), items: count(this.#items as never), histories: count(this.#histories as never) });
  }

  /** Drops what has expired; reads do not see it before that either. */
  async sweep(): Promise<number> {
    const swept = [await this.#sweep(this.#users), await this.#sweep(this.#items), await this.#sweep(this.#histories)];
    return swept.reduce((sum, count) => sum + count, 0);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#root.close();
  }

  /** All that `work` writes, or nothing; one transaction after the other. */
  #transact(work: () => void): Promise<void> {
    if (this.#isReadOnly) return Promise.reject(new IoError(`${this.#directory}: this process may only read the store`, { where: this.#directory, expected: 'a user that may write its files', fix: 'write as the user that the store belongs to' }));
    const done = this.#last.then(() => this.#commit(work));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #commit(work: () => void): Promise<void> {
    try {
      await this.#root.transaction(work);
    } catch (error) {
      // Names that were to be written with it are not there: what is written next must bring its own.
      for (const database of [this.#users, this.#items, this.#histories]) (database as unknown as Encoded).encoder.clearSharedData();
      const reason: unknown = await (error as { readonly commitError?: Promise<never> }).commitError?.catch((cause: unknown) => cause);
      throw explainWrite(reason ?? error, this.#directory);
    }
  }

  #put(updates: readonly FeatureUpdate[], now: number): void {
    // Events of one user are put together, as each time all of them are written.
    const histories = new Map<string, { readonly key: HistoryKey; readonly events: EventList; until: number }>();
    for (const update of updates) {
      if ('event' in update) {
        const { sequence, user } = update.event;
        const name = JSON.stringify([sequence, user]);
        const history = histories.get(name) ?? { key: [sequence, user], events: new EventList(alive(this.#histories.get([sequence, user]), now) ?? NO_EVENTS), until: 0 };
        histories.set(name, history);
        history.events.add(update.event);
        history.until = untilOf(update.ttl);
      } else {
        const [database, id] = 'user' in update ? [this.#users, update.user] : [this.#items, update.item];
        const values = { ...alive(database.get(id), now)?.values, ...update.features };
        void database.put(id, { values, until: untilOf(update.ttl) });
      }
    }
    for (const { key, events, until } of histories.values()) void this.#histories.put(key, { ...events.newest, until });
  }

  async #sweep<K extends string | HistoryKey>(database: Database<Expiring, K>): Promise<number> {
    const now = Date.now();
    let dropped = 0;
    let expired: K[] = [];
    const drop = async (): Promise<void> => {
      await this.#transact(() => {
        for (const key of expired) {
          // It may have been written anew since it was found.
          if (alive(database.get(key), now) !== undefined) continue;
          void database.remove(key);
          dropped += 1;
        }
      });
      expired = [];
    };
    for (const { key, value } of database.getRange()) {
      if (alive(value, now) === undefined) expired.push(key);
      if (expired.length === SWEPT_TOGETHER) await drop();
    }
    if (expired.length > 0) await drop();
    return dropped;
  }
}

/** What LMDB says when pages do not reach the disk: the system's number for no space, or for an error where only some of them fit. */
const REFUSED = new Set<unknown>([28, 5]);

const explainWrite = (error: unknown, directory: string): unknown => {
  if (!(error instanceof Error) || !REFUSED.has((error as { readonly code?: unknown }).code)) return explainIoFailure(error, directory);
  return new IoError(`${directory}: the disk does not take what is written (${error.message})`, {
    where: directory,
    expected: 'space on that disk',
    fix: 'free space, or use a folder on another disk',
    cause: error,
  });
};

/** LMDB names no file, and has the system's words alone. */
const explainOpen = (error: unknown, directory: string): unknown => {
  if (!(error instanceof Error) || !/^(?:Permission denied|Read-only file system)/u.test(error.message)) return explainIoFailure(error, directory);
  return new IoError(`${directory}: the store cannot be opened (${error.message})`, {
    where: directory,
    expected: 'files that this user may read, and a lock.mdb that it may write: readers say there what they read',
    fix: `give this user the store's folder, or at least: chmod a+rx ${directory}, chmod a+r ${join(directory, DATA)}, chmod a+rw ${join(directory, LOCK)}`,
    cause: error,
  });
};

/**
 * Opens a store in a folder, which is made where it is not there. Where its file cannot be written it is only read.
 *
 * @throws IoError when the folder cannot be used
 */
export const openLmdbStore = async (directory: string): Promise<Required<FeatureStore>> => {
  try {
    await mkdir(directory, { recursive: true });
    // LMDB would read without saying so; on a file system that nobody writes to there is no need to.
    if (refusalOf(join(directory, LOCK)) === 'EACCES') throw new Error(`Permission denied: ${LOCK}`);
    return new LmdbStore(directory);
  } catch (error) {
    throw explainOpen(error, directory);
  }
};
