import type { LengthCounts, SurfaceTraffic } from '../data/traffic.js';
import type { BatchShape } from '../model/batch-sizes.js';
import { ATTENTION_GROUPS, type ModelLayout } from '../model/layout.js';
import { groupByLength } from '../train/sequence-feeds.js';

/** Requests whose lengths stand for all: as many as a batch would have. */
const SAMPLE = 512;

/** Lengths at evenly spaced quantiles. */
const sampleLengths = (parts: readonly LengthCounts[]): Int32Array => {
  const counts = new Map<number, number>();
  for (const { lengths, counts: own } of parts) lengths.forEach((length, index) => counts.set(length, (counts.get(length) ?? 0) + own[index]!));
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  const sample = new Int32Array(SAMPLE);
  let at = 0;
  let passed = sorted[0]?.[1] ?? 0;
  for (let index = 0; index < SAMPLE && at < sorted.length; index += 1) {
    while (passed < ((index + 0.5) / SAMPLE) * total) {
      at += 1;
      passed += sorted[at]![1];
    }
    sample[index] = sorted[at]![0];
  }
  return sample;
};

/** Mean length of a request's list. */
export const meanLength = (traffic: readonly SurfaceTraffic[], column: string): number => {
  const requests = traffic.reduce((sum, one) => sum + one.requests, 0);
  const entries = traffic.reduce((sum, { lists }) => {
    const { lengths, counts } = lists.get(column) ?? { lengths: [], counts: [] };
    return sum + lengths.reduce((total, length, index) => total + length * counts[index]!, 0);
  }, 0);
  return requests === 0 ? 0 : entries / requests;
};

/**
 * The average request of some surfaces together: its candidates, its tokens, and the padding that attention adds when a
 * batch of such requests is put into groups of similar length.
 */
export const requestShape = (layout: ModelLayout, traffic: readonly SurfaceTraffic[]): BatchShape => {
  const requests = traffic.reduce((sum, one) => sum + one.requests, 0);
  return {
    requests: 1,
    candidates: Object.fromEntries(traffic.map(({ surface, candidates }) => [surface, candidates / requests])),
    sequences: Object.fromEntries(
      layout.sequences.map(({ name, column }) => {
        const sample = sampleLengths(traffic.flatMap(({ lists }) => lists.get(column) ?? []));
        const groups = groupByLength(sample, ATTENTION_GROUPS).map((group) => ({ requests: group.requests.length / SAMPLE, length: group.length }));
        return [name, { tokens: meanLength(traffic, column), groups }];
      }),
    ),
  };
};
