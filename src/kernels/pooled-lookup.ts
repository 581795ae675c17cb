import type { SlotIds } from './embedding-kernel.js';

/** Where rows are read from: the floats of row `row` begin at `start(row)`. A decoded row lasts until the next call. */
export interface RowSource {
  readonly floats: Float32Array;
  start(row: number): number;
}

/** `out[to .. to + width) = source[from ..)`; loops beat `subarray` + `set`, which allocates a view a row. */
export const copyRow = (source: Float32Array, from: number, out: Float32Array, to: number, width: number): void => {
  let d = 0;
  for (; d + 8 <= width; d += 8) {
    out[to + d] = source[from + d]!;
    out[to + d + 1] = source[from + d + 1]!;
    out[to + d + 2] = source[from + d + 2]!;
    out[to + d + 3] = source[from + d + 3]!;
    out[to + d + 4] = source[from + d + 4]!;
    out[to + d + 5] = source[from + d + 5]!;
    out[to + d + 6] = source[from + d + 6]!;
    out[to + d + 7] = source[from + d + 7]!;
  }
  for (; d < width; d += 1) out[to + d] = source[from + d]!;
};

/** `out[to .. to + width) += scale · source[from ..)`. */
export const addRow = (source: Float32Array, from: number, out: Float32Array, to: number, width: number, scale: number): void => {
  let d = 0;
  for (; d + 4 <= width; d += 4) {
    out[to + d] = out[to + d]! + scale * source[from + d]!;
    out[to + d + 1] = out[to + d + 1]! + scale * source[from + d + 1]!;
    out[to + d + 2] = out[to + d + 2]! + scale * source[from + d + 2]!;
    out[to + d + 3] = out[to + d + 3]! + scale * source[from + d + 3]!;
  }
  for (; d < width; d += 1) out[to + d] = out[to + d]! + scale * source[from + d]!;
};

/** Looks one slot up: see {@link LookupTable.lookup}. Shapes and ids are checked already. */
export const lookupSlot = (source: RowSource, width: number, slot: SlotIds, rowCount: number, out: Float32Array, stride: number): void => {
  const { values, offsets, base, pooling } = slot;
  const { floats } = source;
  let to = slot.offset;
  if (offsets === undefined) {
    for (let row = 0; row < rowCount; row += 1, to += stride) copyRow(floats, source.start(base + values[row]!), out, to, width);
    return;
  }
  for (let row = 0; row < rowCount; row += 1, to += stride) {
    const first = offsets[row]!;
    const end = offsets[row + 1]!;
    if (first === end) {
      out.fill(0, to, to + width);
      continue;
    }
    copyRow(floats, source.start(base + values[first]!), out, to, width);
    for (let i = first + 1; i < end; i += 1) {
      const from = source.start(base + values[i]!);
      if (pooling === 'max') {
        for (let d = 0; d < width; d += 1) {
          const weight = floats[from + d]!;
          if (weight > out[to + d]!) out[to + d] = weight;
        }
      } else addRow(floats, from, out, to, width, 1);
    }
    if (pooling === 'mean' && end - first > 1) {
      const share = 1 / (end - first);
      for (let d = 0; d < width; d += 1) out[to + d] = out[to + d]! * share;
    }
  }
};
