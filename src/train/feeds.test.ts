import { describe, expect, it } from 'vitest';
import type { Batch } from '../data/batch.js';
import { TOY_LAYOUT, toyBatch } from '../../test/support/toy-problem.js';
import { buffersOf } from './batch-feeds.js';
import { makeFeeds } from './feeds.js';

const PLAN = { layout: TOY_LAYOUT, taskIndices: [0, 2], segments: true };

describe('makeFeeds', () => {
  it('weighs labels so that each task is its weighted mean over labelled rows', () => {
    const batch = toyBatch(1);
    const { labels } = makeFeeds(batch, PLAN, true);
    [1, 0.5].forEach((weight, task) => {
      let total = 0;
      for (let i = task; i < labels!.weights.length; i += 2) total += labels!.weights[i]!;
      expect(total).toBeCloseTo(weight, 5);
    });
    batch.labels[0]!.forEach((label, row) => {
      expect(labels!.weights[2 * row] === 0).toBe(Number.isNaN(label));
      expect(labels!.values[2 * row]).toBe(Number.isNaN(label) ? 0 : label);
    });
    const homeRows = batch.surfaceCandidates[0]!;
    for (let row = 0; row < homeRows; row += 1) expect(labels!.weights[2 * row + 1]).toBe(0);
  });

  it('gives a task without any label in the batch no weight', () => {
    const batch = toyBatch(1);
    const { labels } = makeFeeds({ ...batch, labels: batch.labels.map((task) => task.map(() => NaN)) }, PLAN, true);
    expect(labels!.weights.every((weight) => weight === 0)).toBe(true);
  });

  it('turns missing numbers into 0 with presence 0', () => {
    const batch = toyBatch(1);
    const age = (batch.requestColumns.get('age') as { values: Float32Array }).values;
    const [request, candidate] = makeFeeds(batch, PLAN, false).dense;
    age.forEach((value, row) => {
      expect([...request!.subarray(2 * row, 2 * row + 2)]).toEqual(Number.isNaN(value) ? [0, 0] : [value, 1]);
    });
    expect([...candidate!.subarray(3, 6)]).toEqual([0, 0, 0]);
    expect(candidate![2]).toBe(1);
  });

  it('lists the candidates of each request, padded', () => {
    const batch = toyBatch(2, 5);
    const { segments, rowToRequest, surfaceCandidates } = makeFeeds(batch, PLAN, false);
    const { width, slots, mask } = segments!;
    const found: number[] = [];
    for (let i = 0; i < slots.length; i += 1) {
      if (mask[i] === 0) expect(slots[i]).toBe(0n);
      else {
        expect(rowToRequest[Number(slots[i])]).toBe(BigInt(Math.floor(i / width)));
        found.push(Number(slots[i]));
      }
    }
    expect(found).toEqual(Array.from(batch.rowToRequest.keys()));
    expect([...surfaceCandidates]).toEqual([BigInt(batch.surfaceCandidates[0]!), BigInt(batch.surfaceCandidates[2]!)]);
  });

  it('owns its buffers, so that they can move to another thread', () => {
    const batch = toyBatch(1);
    const shard = new ArrayBuffer(1000);
    const item = new Int32Array(shard, 16, batch.candidateCount);
    const words = batch.candidateColumns.get('words') as { offsets: Int32Array; values: Int32Array };
    const shifted = { kind: 'ids' as const, offsets: words.offsets.map((offset) => offset + 3), values: Int32Array.of(9, 9, 9, ...words.values, 9) };
    const views: Batch = { ...batch, candidateColumns: new Map([...batch.candidateColumns, ['item', { kind: 'id', values: item }], ['words', shifted]]) };
    const feeds = makeFeeds(views, PLAN, false);
    expect(feeds.blocks[2]![1]).toEqual({ values: words.values, offsets: words.offsets });
    const buffers = buffersOf(feeds);
    expect(buffers).not.toContain(shard);
    structuredClone(feeds, { transfer: buffers });
    expect(item.length).toBe(batch.candidateCount);
    expect(batch.surfaces.length).toBe(batch.requestCount);
  });

  it('says which column or surface does not fit', () => {
    const batch = toyBatch(1);
    expect(() => makeFeeds({ ...batch, requestColumns: new Map() }, PLAN, false)).toThrow(/the batch has nothing where the model reads ids column "tags"/);
    const [first] = batch.surfaceCandidates;
    const foreign = { ...batch, surfaceCandidates: Int32Array.of(0, first!, batch.surfaceCandidates[2]!) };
    expect(() => makeFeeds(foreign, PLAN, false)).toThrow(`a batch has ${first} candidates of surfaces that the model does not serve`);
  });
});
