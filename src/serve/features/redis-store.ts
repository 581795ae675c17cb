/** The store for many machines: Redis, or Valkey, which speaks the same protocol. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis, type ChainableCommander } from 'ioredis';
import { IoError } from '../../config/errors.js';
import { KEPT_EVENTS, NO_EVENTS, type FeatureStore, type FeatureUpdate, type FeatureValues, type StoredEvents, type StoreQuery } from './feature-store.js';

const PREFIX = 'onefold';

/** Part of a member that only tells equal events of different moments apart. */
const MOMENT = '@time';

/** A connection on which nothing comes for so long, though something was asked, is given up and made anew. */
const SILENT_MS = 5000;

const userKey = (id: string): string => `${PREFIX}:user:${id}`;
const itemKey = (id: string): string => `${PREFIX}:item:${id}`;
const historyKey = (sequence: string, user: string): string => `${PREFIX}:events:${sequence}@${user}`;

const parse = (text: string): unknown => JSON.parse(text) as unknown;

/** A record is one text: two hundred of them in one reply are read five times as fast as two hundred hashes. */
const recordOf = (text: unknown): FeatureValues | undefined => (typeof text === 'string' ? (parse(text) as FeatureValues) : undefined);

/**
 * Puts a record in place of the one that it was made of; 0 when another has been put there since. Of a record that is not there
 * the text is empty.
 */
const REPLACE = `
  if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
  if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return 1`;

/** Times that a record is tried to be replaced, while other processes replace it. */
const MOST_TRIES = 50;

/** Milliseconds between two tries, at most: by chance, so that those who collided do not collide again. */
const LONGEST_PAUSE_MS = 50;

/** Milliseconds; 0: for good. */
const expiryOf = (ttl: number | undefined): number => (ttl === undefined ? 0 : Math.ceil(1000 * ttl));

/** What updates together make of a record. */
interface RecordChange {
  readonly features: FeatureValues;
  readonly expiry: number;
}

const recordChanges = (updates: readonly FeatureUpdate[]): ReadonlyMap<string, RecordChange> => {
  const changes = new Map<string, RecordChange>();
  for (const update of updates) {
    if ('event' in update) continue;
    const key = 'user' in update ? userKey(update.user) : itemKey(update.item);
    changes.set(key, { features: { ...changes.get(key)?.features, ...update.features }, expiry: expiryOf(update.ttl) });
  }
  return changes;
};

/** Members come newest first, each followed by its time. */
const eventsOf = (members: readonly string[]): StoredEvents => {
  if (members.length === 0) return NO_EVENTS;
  const count = members.length / 2;
  const times = new Array<number>(count);
  const fields = new Map<string, (string | number | boolean | null)[]>();
  for (let index = 0; index < count; index += 1) {
    const at = count - 1 - index;
    times[at] = Number(members[2 * index + 1]);
    for (const [name, value] of Object.entries(parse(members[2 * index]!) as Record<string, string | number | boolean | null>)) {
      if (name === MOMENT) continue;
      const values = fields.get(name) ?? new Array<null>(count).fill(null);
      fields.set(name, values);
      values[at] = value;
    }
  }
  return { times, fields: Object.fromEntries(fields) };
};

/** Names in one order, so that the same event is the same member. */
const memberOf = (fields: Readonly<Record<string, unknown>>): string => JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))));

const addEvent = (pipeline: ChainableCommander, { event, ttl }: Extract<FeatureUpdate, { readonly event: unknown }>): void => {
  const { sequence, user, time, fields } = event;
  const key = historyKey(sequence, user);
  pipeline.zadd(key, time, memberOf({ ...fields, [MOMENT]: time }));
  pipeline.zremrangebyrank(key, 0, -KEPT_EVENTS - 1);
  if (ttl === undefined) pipeline.persist(key);
  else pipeline.pexpire(key, expiryOf(ttl));
};

class RedisStore implements FeatureStore {
  readonly #redis: Redis;
  /** Without a password that the URL may have. */
  readonly #place: string;
  /** Why there is no connection. */
  #refusal: Error | undefined;
  #waiting: { readonly updates: readonly FeatureUpdate[]; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #isWriting = false;

  constructor(url: string) {
    this.#place = url.replace(/\/\/[^@/]*@/, '//');
    this.#redis = new Redis(url, {
      // Whoever asks waits no longer than its own timeout, and nothing is sent late.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 2000,
      socketTimeout: SILENT_MS,
      retryStrategy: (tries) => Math.min(50 * tries, 1000),
    });
    // Whoever asks and gets no answer is told.
    this.#redis.on('error', (error) => {
      this.#refusal = error;
    });
  }

  /** Waits for the first connection. */
  async ready(milliseconds: number): Promise<boolean> {
    if (this.#redis.status === 'ready') return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(false);
      }, milliseconds);
      this.#redis.once('ready', () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  async lookup({ userId, itemIds, sequences, before, limit }: StoreQuery): ReturnType<FeatureStore['lookup']> {
    const pipeline = this.#redis.pipeline();
    const items = itemIds.filter((id) => id !== null);
    if (userId !== undefined) {
      pipeline.get(userKey(userId));
      for (const sequence of sequences) pipeline.zrevrangebyscore(historyKey(sequence, userId), `(${before}`, '-inf', 'WITHSCORES', 'LIMIT', 0, limit);
    }
    if (items.length > 0) pipeline.mget(items.map(itemKey));
    const results = await this.#run(pipeline);
    const texts = items.length > 0 ? (results.at(-1) as readonly (string | null)[]) : [];
    const found = new Map(items.map((id, index) => [id, recordOf(texts[index])]));
    return {
      user: userId === undefined ? undefined : recordOf(results[0]),
      items: itemIds.map((id) => (id === null ? undefined : found.get(id))),
      events: sequences.map((_, index) => (userId === undefined ? NO_EVENTS : eventsOf(results[1 + index] as readonly string[]))),
    };
  }

  /** Writes of this process are made one after the other, those that wait together: none takes another's record away. */
  write(updates: readonly FeatureUpdate[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ updates, resolve, reject });
      if (!this.#isWriting) void this.#writeWaiting();
    });
  }

  async #writeWaiting(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0);
      try {
        await this.#writeAll(together.flatMap(({ updates }) => updates));
        for (const { resolve } of together) resolve();
      } catch (error) {
        if (together.length === 1 || this.#redis.status !== 'ready') for (const { reject } of together) reject(error);
        // One of them may be at fault: writes can be made twice.
        else for (const { updates, resolve, reject } of together) await this.#writeAll(updates).then(resolve, reject);
      }
    }
    this.#isWriting = false;
  }

  async #writeAll(updates: readonly FeatureUpdate[]): Promise<void> {
    const pipeline = this.#redis.pipeline();
    for (const update of updates) if ('event' in update) addEvent(pipeline, update);
    if (pipeline.length > 0) await this.#run(pipeline);
    let left = recordChanges(updates);
    for (let tries = 0; left.size > 0; tries += 1) {
      if (tries === MOST_TRIES) throw this.#explain(new Error(`${left.size} records are written by others all the time`));
      if (tries > 0) await sleep(Math.random() * Math.min(2 ** tries, LONGEST_PAUSE_MS));
      left = await this.#replace(left);
    }
  }

  async counts(): ReturnType<FeatureStore['counts']> {
    const count = async (pattern: string): Promise<number> => {
      let total = 0;
      for await (const keys of this.#redis.scanStream({ match: `${PREFIX}:${pattern}:*`, count: 1000 })) total += (keys as readonly string[]).length;
      return total;
    };
    try {
      return { users: await count('user'), items: await count('item'), histories: await count('events') };
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
    return Promise.resolve();
  }

  /** @returns those that others have changed meanwhile */
  async #replace(changes: ReadonlyMap<string, RecordChange>): Promise<ReadonlyMap<string, RecordChange>> {
    const entries = [...changes];
    const [found] = (await this.#run(this.#redis.pipeline().mget(entries.map(([key]) => key)))) as [readonly (string | null)[]];
    const pipeline = this.#redis.pipeline();
    for (const [index, [key, { features, expiry }]] of entries.entries()) {
      const before = found[index] ?? '';
      const after = JSON.stringify({ ...(before === '' ? {} : recordOf(before)), ...features });
      pipeline.eval(REPLACE, 1, key, before, after, expiry);
    }
    const replaced = await this.#run(pipeline);
    return new Map(entries.filter((_, index) => replaced[index] === 0));
  }

  /** Results of a pipeline; the first error is thrown. */
  async #run(pipeline: ChainableCommander): Promise<readonly unknown[]> {
    try {
      const results = (await pipeline.exec()) ?? [];
      return results.map(([error, value]) => {
        if (error !== null) throw error;
        return value;
      });
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): IoError {
    // Without a connection every command fails in the same words.
    const cause = this.#redis.status === 'ready' ? error : (this.#refusal ?? error);
    return new IoError(`${this.#place}: ${(cause as Error).message || 'the store does not answer'}`, {
      where: this.#place,
      expected: 'a Redis or Valkey server that answers there',
      fix: 'start it, or correct the address, user and password',
      cause,
    });
  }
}

/** Opens a store at a URL; a server that does not answer yet is tried again and again. */
export const openRedisStore = (url: string): FeatureStore & { ready(milliseconds: number): Promise<boolean> } => new RedisStore(url);
