import type { BlockGradient, EmbeddingTable, RowOptimizer, SlotIds, TablePart } from './embedding-kernel.js';
import { KernelError, KernelUseError } from './kernel-error.js';

/** The row that owns list entry `position`. */
export const rowOfEntry = (offsets: Int32Array | undefined, position: number): number => {
  if (offsets === undefined) return position;
  let row = 0;
  while (offsets[row + 1]! <= position) row += 1;
  return row;
};

/**
 * Checks that a block's arrays are as large as its rows need, before any kernel touches memory.
 *
 * @param name what `floats` is, for messages
 * @throws KernelUseError
 */
export const checkShapes = (
  table: { readonly width: number; readonly rows: number },
  slots: readonly SlotIds[],
  rowCount: number,
  floats: Float32Array,
  stride: number,
  name: 'out' | 'gradient',
): void => {
  if (!Number.isInteger(rowCount) || rowCount < 0) throw new KernelUseError(`a block has ${rowCount} rows: expected a whole number`);
  if (slots.length > 0 && floats.length < rowCount * stride) {
    throw new KernelUseError(`"${name}" has ${floats.length} floats: expected ${rowCount} rows of ${stride}`);
  }
  for (const { column, base, rows, pooling, offset, values, offsets } of slots) {
    if (offset < 0 || offset + table.width > stride) {
      throw new KernelUseError(`column "${column}": its ${table.width} floats at ${offset} do not fit a row of ${stride}`);
    }
    if (base < 0 || rows < 0 || base + rows > table.rows) {
      throw new KernelUseError(`column "${column}": its rows ${base} to ${base + rows} are not all in a table of ${table.rows} rows`);
    }
    if ((pooling === 'single') !== (offsets === undefined)) {
      throw new KernelUseError(`column "${column}": pooling "${pooling}" ${offsets === undefined ? 'needs' : 'takes no'} offsets`);
    }
    if (offsets !== undefined && offsets.length < rowCount + 1) {
      throw new KernelUseError(`column "${column}" has ${offsets.length} offsets: expected ${rowCount + 1}`);
    }
    if (offsets === undefined && values.length < rowCount) {
      throw new KernelUseError(`column "${column}" has ${values.length} ids: expected ${rowCount}`);
    }
  }
};

/** @throws KernelUseError when list boundaries descend or leave the values. */
export const offsetsError = (slot: SlotIds): KernelUseError =>
  new KernelUseError(`column "${slot.column}": its list offsets must ascend within its ${slot.values.length} ids`);

/**
 * Checks every id of a slot before anything is read or written.
 *
 * @throws KernelError for the first id outside the slot's table.
 * @throws KernelUseError when list boundaries descend or leave the values.
 */
export const checkIds = (slot: SlotIds, rowCount: number): void => {
  const { values, offsets, rows } = slot;
  let first = 0;
  let end = rowCount;
  if (offsets !== undefined) {
    first = offsets[0]!;
    end = offsets[rowCount]!;
    if (first < 0 || end > values.length) throw offsetsError(slot);
    for (let row = 0; row < rowCount; row += 1) if (offsets[row]! > offsets[row + 1]!) throw offsetsError(slot);
  }
  for (let i = first; i < end; i += 1) {
    // One unsigned comparison catches negative ids too.
    if (values[i]! >>> 0 >= rows) throw new KernelError(slot.column, rowOfEntry(offsets, i), values[i]!, rows);
  }
};

/** Checks an update's blocks and settings against its table; ids are left to {@link checkIds}. */
export const checkUpdate = (table: EmbeddingTable, blocks: readonly BlockGradient[], optimizer: RowOptimizer): void => {
  if (optimizer.type !== table.optimizer) {
    throw new KernelUseError(
      `a table made ${table.optimizer === undefined ? 'for reading' : `for "${table.optimizer}"`} cannot take a step of "${optimizer.type}"`,
    );
  }
  for (const block of blocks) checkShapes(table, block.slots, block.rowCount, block.gradient, block.stride, 'gradient');
};

/**
 * Checks a range of whole rows of a part.
 *
 * @returns the part
 * @throws KernelUseError
 */
export const checkRange = (table: EmbeddingTable, name: TablePart['name'], first: number, values: Float32Array): TablePart => {
  const part = table.parts.find((candidate) => candidate.name === name);
  if (part === undefined) throw new KernelUseError(`the table has no "${name}", only ${table.parts.map((each) => each.name).join(', ')}`);
  const count = values.length / part.width;
  if (!Number.isInteger(count)) throw new KernelUseError(`${values.length} floats are not whole rows of ${part.width} ("${name}")`);
  if (!Number.isInteger(first) || first < 0 || first + count > table.rows) {
    throw new KernelUseError(`rows ${first} to ${first + count} are not all in a table of ${table.rows} rows`);
  }
  return part;
};

/** @throws KernelUseError when a table could not exist. */
export const checkTableSize = (width: number, rows: number): void => {
  if (!Number.isInteger(width) || width < 1 || width > 65536) throw new KernelUseError(`a table of width ${width}: expected 1 to 65536`);
  if (!Number.isInteger(rows) || rows < 0 || rows > 0xffffffff) throw new KernelUseError(`a table of ${rows} rows: expected 0 to ${0xffffffff}`);
};

/** @throws KernelUseError when the arrays of a dense step differ in length. */
export const checkDense = (parameter: Float32Array, ...others: readonly Float32Array[]): void => {
  for (const other of others) {
    if (other.length !== parameter.length) {
      throw new KernelUseError(`a parameter of ${parameter.length} floats with a moment or gradient of ${other.length}: expected equal lengths`);
    }
  }
};
