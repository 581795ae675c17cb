import { describe, expect, it } from 'vitest';
import { diffLists, viewTypesOf } from './diff-schema.js';

describe('diffLists', () => {
  it('names what was added, removed and changed, whatever the order of lists and keys', () => {
    const a = [{ name: 'price', encoding: { type: 'standard', mean: 1 }, side: 'candidate' }, { name: 'age', side: 'request' }, { name: 'brand', width: 4 }];
    const b = [{ name: 'brand', width: 8, table: 'brands' }, { name: 'query' }, { name: 'price', side: 'candidate', encoding: { mean: 1, type: 'standard' } }];
    expect(diffLists(a, b)).toEqual({
      added: ['query'],
      removed: ['age'],
      changed: [{ name: 'brand', changes: [{ property: 'width', a: 4, b: 8 }, { property: 'table', a: undefined, b: 'brands' }] }],
      same: 1,
    });
  });

  it('tells lists apart by the order of their entries, and leaves out which other surfaces have a feature', () => {
    const feature = (boundaries: readonly number[], surfaces: readonly string[]) => [{ name: 'stock', boundaries, surfaces }];
    expect(diffLists(feature([5, 20], ['feed']), feature([5, 20], ['feed', 'search'])).changed).toEqual([]);
    expect(diffLists(feature([5, 20], ['feed']), feature([20, 5], ['feed'])).changed).toHaveLength(1);
  });
});

describe('viewTypesOf', () => {
  it("are a surface's, without its name", () => {
    expect(viewTypesOf({ tables: [], columns: [], surfaces: ['feed', 'feed_2'], viewTypes: ['', 'feed/grid', 'feed_2/list', 'feed/list'] }, 'feed')).toEqual(['grid', 'list']);
  });
});
