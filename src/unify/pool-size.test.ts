import { describe, expect, it } from 'vitest';
import type { ColumnState } from '../data/encoder-state.js';
import type { PreparedManifest } from '../data/prepared.js';
import { poolCandidates } from './pool-size.js';

const base = { feature: 'f', surfaces: ['home'], table: 't' } as const;
const history: ColumnState = { ...base, kind: 'ids', name: 'h', side: 'request', pooling: 'mean', maxLength: 500, keep: 'last' };
const ad: ColumnState = { ...base, kind: 'id', name: 'ad', side: 'candidate' };

const manifest = (columns: readonly ColumnState[], requests: number, candidates: number) =>
  ({
    encoders: { tables: [], columns, surfaces: ['home'], viewTypes: [] },
    tasks: [{ name: 'click', surfaces: ['home'], weight: 1 }],
    splits: { train: { shards: [], counts: { home: { requests, candidates, positives: {}, labelled: {} } } } },
  }) as unknown as PreparedManifest;

describe('poolCandidates', () => {
  it('keeps few wide candidates, and never more than four million', () => {
    // 2000 bytes of history and 100 of the request's own, for ten candidates of 12 bytes each.
    expect(poolCandidates(manifest([history, ad], 1000, 10_000))).toBe(Math.floor((384 * 2 ** 20) / (12 + 210)));
    expect(poolCandidates(manifest([history, ad], 1000, 1000))).toBe(Math.floor((384 * 2 ** 20) / (12 + 2100)));
    expect(poolCandidates(manifest([ad], 10, 1000))).toBe(4_000_000);
    expect(poolCandidates(manifest([ad], 0, 0))).toBe(4_000_000);
  });
});
