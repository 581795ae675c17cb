import { describe, expect, it } from 'vitest';
import type { SlotIds } from './embedding-kernel.js';
import { packFew, type BlockArrays } from './pack-blocks.js';

const ascending = (length: number, from: number): Int32Array => Int32Array.from({ length }, (_, i) => from + i);

/** Reads packed arrays as the addon does. */
const unpack = ({ fields, values }: NonNullable<ReturnType<typeof packFew>>) => {
  const [count, rowCount, stride] = fields as unknown as readonly [number, number, number];
  let at = 0;
  const slots = Array.from({ length: count }, (_, slot) => {
    const [base, rows, offset, pooling, ids, bounds] = fields.subarray(3 + 6 * slot) as unknown as readonly [number, number, number, number, number, number];
    const unpacked = { base, rows, offset, pooling, ids: [...values.subarray(at, at + ids)], offsets: [...values.subarray(at + ids, at + ids + bounds)] };
    at += ids + bounds;
    return unpacked;
  });
  return { rowCount, stride, slots };
};

describe('packFew', () => {
  it.each([0, 1, 15, 16, 40])('keeps what the rows need of ids and offsets that may be longer: %i rows', (rowCount) => {
    const common = { column: 'c', rows: 90 };
    const slots: readonly SlotIds[] = [
      { ...common, pooling: 'single', base: 5, offset: 0, values: ascending(rowCount, 100) },
      { ...common, pooling: 'single', base: 6, offset: 4, values: ascending(rowCount + 30, 200) },
      { ...common, pooling: 'max', base: 7, offset: 8, values: ascending(2 * rowCount + 1, 300), offsets: ascending(rowCount + 1, 0) },
      { ...common, pooling: 'mean', base: 8, offset: 12, values: ascending(3, 400), offsets: ascending(rowCount + 20, 0) },
    ];
    const expected = slots.map(({ base, rows, offset, values, offsets }, slot) => ({
      base, rows, offset, pooling: [0, 0, 3, 2][slot],
      ids: [...(offsets === undefined ? values.subarray(0, rowCount) : values)],
      offsets: [...(offsets ?? []).slice(0, rowCount + 1)],
    }));
    expect(unpack(packFew({ slots, rowCount, stride: 16 })!)).toEqual({ rowCount, stride: 16, slots: expected });
  });

  it('takes any number of slots, and leaves many ids to the other way', () => {
    const block = (count: number, ids: number): BlockArrays => ({
      slots: Array.from({ length: count }, (_, slot) => ({ column: 'c', base: slot, rows: 9, pooling: 'single', offset: slot, values: ascending(ids, slot) })),
      rowCount: ids,
      stride: count,
    });
    for (const [count, ids] of [[300, 2], [4096, 1], [1, 4096], [2, 2048], [0, 7]] as const) {
      const { slots } = unpack(packFew(block(count, ids))!);
      expect(slots.map(({ base, ids: found }) => [base, found.length, found[ids - 1]])).toEqual(Array.from({ length: count }, (_, slot) => [slot, ids, slot + ids - 1]));
    }
    expect(packFew(block(1, 4097))).toBeUndefined();
    expect(packFew(block(3, 2000))).toBeUndefined();
  });
});
