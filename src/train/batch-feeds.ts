/** A batch as the engine's thread takes it: plain arrays in buffers of their own, which move between threads without a copy. */

import type { RowSpace } from '../model/layout.js';
import type { SequenceFeeds } from './sequence-feeds.js';

/** Ids of one lookup slot. */
export interface SlotValues {
  readonly values: Int32Array;
  /** List boundaries from 0; absent for `single` slots. */
  readonly offsets?: Int32Array;
}

export interface BatchFeeds {
  readonly requestCount: number;
  readonly candidateCount: number;
  /** Candidates of each of the model's surfaces, in the layout's order; rows are in that order. */
  readonly surfaceCandidates: BigInt64Array;
  /** Per block of the layout, per slot. */
  readonly blocks: readonly (readonly SlotValues[])[];
  /** Per dense block of the layout: `[rows, blockWidth]`. */
  readonly dense: readonly Float32Array[];
  /** `[candidates]`. */
  readonly rowToRequest: BigInt64Array;
  /** `[requests, width]`, where the graph pools candidates per request. */
  readonly segments?: { readonly width: number; readonly slots: BigInt64Array; readonly mask: Float32Array };
  /** Per sequence of the layout. */
  readonly sequences: readonly SequenceFeeds[];
  /** `[candidates, tasks]`, when training. */
  readonly labels?: { readonly values: Float32Array; readonly weights: Float32Array };
}

/** How many rows a row space has in a batch. */
export const rowCountOf = (rows: RowSpace, feeds: BatchFeeds): number => {
  if (rows === 'request') return feeds.requestCount;
  if (rows === 'candidate') return feeds.candidateCount;
  return feeds.sequences.find(({ name }) => rows === `tokens:${name}`)!.tokenCount;
};

/** The buffers of feeds, to transfer rather than copy. */
export const buffersOf = (feeds: BatchFeeds): ArrayBuffer[] => {
  const arrays: (ArrayBufferView | undefined)[] = [
    feeds.surfaceCandidates,
    ...feeds.blocks.flatMap((slots) => slots.flatMap((slot) => [slot.values, slot.offsets])),
    ...feeds.dense,
    feeds.rowToRequest,
    feeds.segments?.slots,
    feeds.segments?.mask,
    ...feeds.sequences.flatMap(({ tensors }) => tensors.map(({ data }) => data)),
    feeds.labels?.values,
    feeds.labels?.weights,
  ];
  return [...new Set(arrays.flatMap((array) => (array === undefined ? [] : [array.buffer as ArrayBuffer])))];
};
