/** Features kept on the server's side: raw values by user and by item, and events by user. */

/** A raw value of a feature, as the logs of training had it. */
export type FeatureValue = string | number | boolean | null | readonly (string | number | boolean | null)[];

/** A user's or an item's features by name. */
export type FeatureValues = Readonly<Record<string, FeatureValue>>;

/** Events of one sequence, oldest first, a list a field. */
export interface StoredEvents {
  /** Epoch ms. */
  readonly times: readonly number[];
  readonly fields: Readonly<Record<string, readonly (string | number | boolean | null)[]>>;
}

export const NO_EVENTS: StoredEvents = { times: [], fields: {} };

/** One change. An expiry is in seconds from now; what is written without one stays. */
export type FeatureUpdate =
  /** Features that are not named keep their values. */
  | { readonly user: string; readonly features: FeatureValues; readonly ttl?: number | undefined }
  | { readonly item: string; readonly features: FeatureValues; readonly ttl?: number | undefined }
  /** The same event twice is one event. */
  | {
      readonly event: { readonly sequence: string; readonly user: string; readonly time: number; readonly fields: Readonly<Record<string, string | number | boolean | null>> };
      readonly ttl?: number | undefined;
    };

/** What one request needs. */
export interface StoreQuery {
  readonly userId: string | undefined;
  /** Null where a candidate has none. */
  readonly itemIds: readonly (string | null)[];
  readonly sequences: readonly string[];
  /** Epoch ms: events strictly before it. */
  readonly before: number;
  /** Newest events of each sequence, at most. */
  readonly limit: number;
}

export interface StoreAnswer {
  readonly user: FeatureValues | undefined;
  /** One for each item id. */
  readonly items: readonly (FeatureValues | undefined)[];
  /** One for each sequence. */
  readonly events: readonly StoredEvents[];
}

export interface StoreCounts {
  readonly users: number;
  readonly items: number;
  /** Sequences of users. */
  readonly histories: number;
}

/** Where features are kept. */
export interface FeatureStore {
  /** Everything of a request in one round trip. */
  lookup(query: StoreQuery): Promise<StoreAnswer>;
  write(updates: readonly FeatureUpdate[]): Promise<void>;
  counts(): Promise<StoreCounts>;
  /** Drops what has expired, where the store does not do so by itself; says how much that was. */
  sweep?(): Promise<number>;
  close(): Promise<void>;
}

/** Events kept of each user and sequence: the newest. */
export const KEPT_EVENTS = 1000;

/** UTF-8 bytes of ids of users and items, and of names of sequences: LMDB's keys, a name and an id together, have at most 1,978. */
export const LONGEST_ID = 1000;
export const LONGEST_SEQUENCE = 500;

/** Seconds, ten years: Redis takes no expiry that is much further away. */
export const LONGEST_TTL = 315_576_000;
