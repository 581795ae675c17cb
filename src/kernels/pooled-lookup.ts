import type { SlotIds } from './embedding-kernel.js';
import { KernelError } from './kernel-error.js';

/** The row that owns list entry `position`. */
const rowOfEntry = (offsets: Int32Array | undefined, position: number): number => {
  if (offsets === undefined) return position;
  let row = 0;
  while (offsets[row + 1]! <= position) row += 1;
  return row;
};

/**
 * Checks every id of a slot before anything is read or written.
 *
 * @throws KernelError for the first id outside the slot's table.
 */
export const checkIds = (slot: SlotIds, rowCount: number): void => {
  const { values, offsets, rows } = slot;
  const first = offsets === undefined ? 0 : offsets[0]!;
  const end = offsets === undefined ? rowCount : offsets[rowCount]!;
  for (let i = first; i < end; i += 1) {
    // One unsigned comparison catches negative ids too; a list that is too short reads undefined, which becomes 0.
    if (values[i]! >>> 0 >= rows) throw new KernelError(slot.column, rowOfEntry(offsets, i), values[i]!, rows);
  }
};

/** `out[to .. to + width) = weights[from ..)`; loops beat `subarray` + `set`, which allocates a view a row. */
export const copyRow = (weights: Float32Array, from: number, out: Float32Array, to: number, width: number): void => {
  let d = 0;
  for (; d + 8 <= width; d += 8) {
    out[to + d] = weights[from + d]!;
    out[to + d + 1] = weights[from + d + 1]!;
    out[to + d + 2] = weights[from + d + 2]!;
    out[to + d + 3] = weights[from + d + 3]!;
    out[to + d + 4] = weights[from + d + 4]!;
    out[to + d + 5] = weights[from + d + 5]!;
    out[to + d + 6] = weights[from + d + 6]!;
    out[to + d + 7] = weights[from + d + 7]!;
  }
  for (; d < width; d += 1) out[to + d] = weights[from + d]!;
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

/** Looks one slot up: see {@link EmbeddingTable.lookup}. Ids are checked already. */
export const lookupSlot = (
  weights: Float32Array,
  width: number,
  slot: SlotIds,
  rowCount: number,
  out: Float32Array,
  stride: number,
): void => {
  const { values, offsets, base, pooling } = slot;
  let to = slot.offset;
  if (offsets === undefined) {
    for (let row = 0; row < rowCount; row += 1, to += stride) copyRow(weights, (base + values[row]!) * width, out, to, width);
    return;
  }
  for (let row = 0; row < rowCount; row += 1, to += stride) {
    const first = offsets[row]!;
    const end = offsets[row + 1]!;
    if (first === end) {
      out.fill(0, to, to + width);
      continue;
    }
    copyRow(weights, (base + values[first]!) * width, out, to, width);
    for (let i = first + 1; i < end; i += 1) {
      const from = (base + values[i]!) * width;
      if (pooling === 'max') {
        for (let d = 0; d < width; d += 1) {
          const weight = weights[from + d]!;
          if (weight > out[to + d]!) out[to + d] = weight;
        }
      } else addRow(weights, from, out, to, width, 1);
    }
    if (pooling === 'mean' && end - first > 1) {
      const share = 1 / (end - first);
      for (let d = 0; d < width; d += 1) out[to + d] = out[to + d]! * share;
    }
  }
};
