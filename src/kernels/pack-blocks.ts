/** Blocks as the addon reads them; `native/src/addon.cpp` says what the fields are. */
import type { SlotIds, SlotPooling } from './embedding-kernel.js';

const POOLINGS: Readonly<Record<SlotPooling, number>> = { single: 0, sum: 1, mean: 2, max: 3 };

/** Numbers of a block, and of each of its slots: in any block, and in one of few ids. */
const [BLOCK_FIELDS, SLOT_FIELDS, FEW_FIELDS] = [3, 4, 6];

/** Ids and offsets of a block up to which they are copied into one array: a few calls of N-API, rather than some for each slot. */
const FEW = 4096;

/** Ids below which a loop copies them sooner than a call of `set` begins to. */
const SHORT = 16;

export interface BlockArrays {
  readonly slots: readonly SlotIds[];
  readonly rowCount: number;
  readonly stride: number;
}

const packSlot = (fields: Float64Array, at: number, { base, rows, offset, pooling }: SlotIds): void => {
  fields[at] = base;
  fields[at + 1] = rows;
  fields[at + 2] = offset;
  fields[at + 3] = POOLINGS[pooling];
};

const packHead = (fields: Float64Array, at: number, { slots, rowCount, stride }: BlockArrays): void => {
  fields[at] = slots.length;
  fields[at + 1] = rowCount;
  fields[at + 2] = stride;
};

/** Any blocks: numbers in one array, and the arrays of all slots in a row. */
export const packBlocks = (blocks: readonly BlockArrays[]) => {
  const slots = blocks.flatMap((block) => block.slots);
  const fields = new Float64Array(BLOCK_FIELDS * blocks.length + SLOT_FIELDS * slots.length);
  let at = 0;
  for (const block of blocks) {
    packHead(fields, at, block);
    at += BLOCK_FIELDS;
    for (const slot of block.slots) {
      packSlot(fields, at, slot);
      at += SLOT_FIELDS;
    }
  }
  return { fields, ids: slots.map((slot) => slot.values), offsets: slots.map((slot) => slot.offsets) };
};

/** Used by every call: an array that the addon reads is costly to make. They may be longer than what is in them. */
let fields = new Float64Array(BLOCK_FIELDS + 32 * FEW_FIELDS);
const values = new Int32Array(FEW);

const copy = (from: Int32Array, length: number, at: number): void => {
  if (length < SHORT) for (let i = 0; i < length; i += 1) values[at + i] = from[i]!;
  else values.set(from.length === length ? from : from.subarray(0, length), at);
};

/**
 * One block of few ids: numbers in one array, and ids and offsets in another.
 *
 * @returns arrays that the next call overwrites; undefined where the ids are many
 */
export const packFew = (block: BlockArrays): { readonly fields: Float64Array; readonly values: Int32Array } | undefined => {
  const { slots, rowCount } = block;
  let total = 0;
  for (const slot of slots) total += slot.offsets === undefined ? rowCount : slot.values.length + rowCount + 1;
  if (total > FEW) return undefined;
  const needed = BLOCK_FIELDS + FEW_FIELDS * slots.length;
  if (fields.length < needed) fields = new Float64Array(2 * needed);
  packHead(fields, 0, block);
  let [field, at] = [BLOCK_FIELDS, 0];
  for (const slot of slots) {
    const ids = slot.offsets === undefined ? rowCount : slot.values.length;
    const bounds = slot.offsets === undefined ? 0 : rowCount + 1;
    packSlot(fields, field, slot);
    fields[field + SLOT_FIELDS] = ids;
    fields[field + SLOT_FIELDS + 1] = bounds;
    field += FEW_FIELDS;
    copy(slot.values, ids, at);
    at += ids;
    if (slot.offsets !== undefined) copy(slot.offsets, bounds, at);
    at += bounds;
  }
  return { fields, values };
};
