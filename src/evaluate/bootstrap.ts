import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { UsageError } from '../config/errors.js';
import { LANES, type Draws, type Sample } from './sample.js';

export interface BootstrapOptions {
  /** Default 300. */
  readonly replicates?: number;
  /** Confidence level, in (0, 1). Default 0.95. */
  readonly level?: number;
  /** Default 1. */
  readonly seed?: number;
}

/** A percentile interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** How the intervals of an evaluation or comparison were made. */
export interface BootstrapInfo {
  readonly replicates: number;
  readonly level: number;
  readonly seed: number;
  /** Users that were resampled. */
  readonly users: number;
}

/** Resampled users; the same for every slice, task and model that is looked at. */
export interface Resamples {
  readonly info: BootstrapInfo;
  /** Per replicate: how often each user of the predictions was drawn. */
  readonly counts: readonly Uint8Array[];
}

/** Below this many users in a slice, percentile intervals mislead: none is given. */
export const FEWEST_USERS = 10;

/** A metric undefined in more than this fraction of replicates (a rare class drawn away) gets no interval. */
const UNDEFINED_ALLOWED = 0.1;

const TWO_TO_32 = 2 ** 32;
const MOST_COUNTED = 255;

/**
 * Draws users with replacement, as many as there are (the cluster bootstrap: Field and Welsh, "Bootstrapping clustered
 * data", 2007). Rows of one user stay together, because they are not independent.
 *
 * @throws UsageError for options out of range.
 */
export const resampleUsers = (userCount: number, { replicates = 300, level = 0.95, seed = 1 }: BootstrapOptions = {}): Resamples => {
  if (!Number.isInteger(replicates) || replicates < 2) {
    throw new UsageError(`the bootstrap got ${replicates} replicates`, { where: 'replicates', expected: 'a whole number of at least 2', fix: 'use 200 to 500' });
  }
  if (!(level > 0 && level < 1)) {
    throw new UsageError(`the bootstrap got confidence level ${level}`, { where: 'level', expected: 'a number between 0 and 1', fix: 'use 0.95' });
  }
  const generator = xoroshiro128plus(seed);
  const counts = Array.from({ length: replicates }, () => {
    const drawn = new Uint8Array(userCount);
    for (let i = 0; i < userCount; i++) {
      const user = Math.floor(((generator.next() >>> 0) / TWO_TO_32) * userCount);
      if (drawn[user]! < MOST_COUNTED) drawn[user]!++;
    }
    return drawn;
  });
  return { info: { replicates, level, seed, users: userCount }, counts };
};

/** Number of users in predictions: one above the largest index. */
export const countUsers = (users: Int32Array): number => users.reduce((largest, user) => Math.max(largest, user), -1) + 1;

/** Calls `visit` once per replicate with the draws of a sample's own users. */
export const forEachReplicate = (resamples: Resamples, sample: Sample, visit: (draws: Draws, replicate: number) => void): void => {
  const { userIds } = sample;
  const { counts } = resamples;
  const lanes = Array.from({ length: LANES }, () => new Uint8Array(userIds.length));
  for (let first = 0; first < counts.length; first += LANES) {
    const words = new Int32Array(userIds.length);
    lanes.forEach((own, lane) => {
      const drawn = counts[first + lane];
      if (drawn === undefined) return;
      for (let user = 0; user < own.length; user++) {
        own[user] = drawn[userIds[user]!]!;
        words[user]! |= own[user]! << (8 * lane);
      }
    });
    const block = { words };
    for (let lane = 0; lane < LANES && first + lane < counts.length; lane++) {
      visit({ counts: lanes[lane]!, block, lane }, first + lane);
    }
  }
};

const quantile = (sorted: Float64Array, at: number): number => {
  const position = at * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (position - below);
};

/** Percentile interval of a statistic's replicates; null when too many of them are undefined or the slice has too few users. */
export const percentileInterval = (values: Float64Array, level: number, users: number): Interval | null => {
  const defined = values.filter(Number.isFinite).sort();
  if (users < FEWEST_USERS || defined.length < values.length * (1 - UNDEFINED_ALLOWED)) return null;
  return { low: quantile(defined, (1 - level) / 2), high: quantile(defined, (1 + level) / 2) };
};
