/** Which requests form which batches, known before any feature is read. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { planBatches, type BatchBounds, type RequestSizes } from './batcher.js';
import { hashText } from './hash.js';

/** What planning needs of a shard. */
export interface ShardOutline {
  /** Per request. */
  readonly surfaces: Int32Array;
  /** Candidates of each request. */
  readonly counts: Int32Array;
  /** Sequence tokens of each request; undefined where they are not bounded. */
  readonly tokens?: Int32Array | undefined;
  readonly candidateCount: number;
}

export interface EpochOptions {
  readonly shuffle: boolean;
  readonly seed: number;
  readonly bounds: BatchBounds;
  /** Candidates held in memory. */
  readonly poolCandidates: number;
  /** Only requests of these surfaces. */
  readonly surfaces: readonly number[] | undefined;
}

/** Shards that are in memory together, and the batches cut from them. */
export interface Pool {
  /** Numbers of the shards, in the order in which they are joined. */
  readonly shards: readonly number[];
  /** Request indices in the joined shards, per batch. */
  readonly batches: readonly Int32Array[];
}

/** Fisher–Yates, as a pure function of `key`. */
const shuffleInPlace = (values: Int32Array | number[], key: string): void => {
  const random = xoroshiro128plus(hashText(key));
  for (let i = values.length - 1; i > 0; i -= 1) {
    const j = uniformInt(random, 0, i);
    const value = values[i]!;
    values[i] = values[j]!;
    values[j] = value;
  }
};

const groupShards = (outlines: readonly ShardOutline[], shards: readonly number[], limit: number): number[][] => {
  const groups: number[][] = [];
  let candidates = Infinity;
  for (const shard of shards) {
    const size = outlines[shard]!.candidateCount;
    if (candidates + size > limit) {
      groups.push([]);
      candidates = 0;
    }
    groups.at(-1)!.push(shard);
    candidates += size;
  }
  return groups;
};

/** Sizes of the joined shards' requests, and which of them are selected. */
const joinOutlines = (
  outlines: readonly ShardOutline[],
  selected: (surface: number) => boolean,
): { readonly sizes: RequestSizes; readonly order: Int32Array } => {
  const requestCount = outlines.reduce((sum, outline) => sum + outline.counts.length, 0);
  const offsets = new Int32Array(requestCount + 1);
  const order = new Int32Array(requestCount);
  const tokens = outlines.some((outline) => outline.tokens !== undefined) ? new Int32Array(requestCount) : undefined;
  let request = 0;
  let length = 0;
  for (const { surfaces, counts, tokens: own } of outlines) {
    if (own !== undefined) tokens!.set(own, request);
    for (let i = 0; i < counts.length; i += 1, request += 1) {
      offsets[request + 1] = offsets[request]! + counts[i]!;
      if (selected(surfaces[i]!)) {
        order[length] = request;
        length += 1;
      }
    }
  }
  return { sizes: { offsets, tokens }, order: order.subarray(0, length) };
};

/** Whether all shards that hold selected requests stay in memory between epochs. */
export const fitsInMemory = (outlines: readonly ShardOutline[], shards: readonly number[], poolCandidates: number): boolean =>
  shards.reduce((sum, shard) => sum + outlines[shard]!.candidateCount, 0) <= poolCandidates;

/** Numbers of the shards that hold a selected request. */
export const selectedShards = (outlines: readonly ShardOutline[], surfaces: readonly number[] | undefined): readonly number[] =>
  outlines.flatMap((outline, number) => (surfaces === undefined || outline.surfaces.some((surface) => surfaces.includes(surface)) ? [number] : []));

/**
 * Plans one epoch, pool by pool; a pure function of its arguments.
 *
 * Without `shuffle` every shard is a pool, in file order. With it, requests are shuffled within pools: one pool of all
 * shards where they fit in memory, otherwise a shuffled order of shards cut into pools of half the memory, so that the
 * next pool can be read while one is in use.
 */
export function* planEpoch(
  outlines: readonly ShardOutline[],
  { shuffle, seed, bounds, poolCandidates, surfaces }: EpochOptions,
  epoch: number,
): Generator<Pool, void, undefined> {
  const chosen = selectedShards(outlines, surfaces);
  const selected = surfaces === undefined ? () => true : (surface: number) => surfaces.includes(surface);
  let groups: readonly (readonly number[])[];
  if (!shuffle) {
    groups = chosen.map((shard) => [shard]);
  } else if (fitsInMemory(outlines, chosen, poolCandidates)) {
    groups = chosen.length === 0 ? [] : [chosen];
  } else {
    const order = [...chosen];
    shuffleInPlace(order, `shards/${seed}/${epoch}`);
    groups = groupShards(outlines, order, poolCandidates / 2);
  }
  for (const [index, shards] of groups.entries()) {
    const { sizes, order } = joinOutlines(shards.map((shard) => outlines[shard]!), selected);
    if (shuffle) shuffleInPlace(order, `requests/${seed}/${epoch}/${index}`);
    yield { shards, batches: planBatches(sizes, order, bounds) };
  }
}
