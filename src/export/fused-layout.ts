/** How a server fills the inputs of an export's fused graph: plain data, stored as `fused.json`. */
import type { DenseBlock, DenseSlot, LookupBlock, LookupSlot, ModelLayout } from '../model/layout.js';
import { SURFACE_COLUMN } from '../model/plan-layout.js';
import type { ExportManifest } from './manifest.js';
import type { CutTensor } from './split-requests.js';

/** Rectangles that attention puts the requests of a run into: most runs hold one request, and an empty rectangle costs all its nodes. */
export const SERVING_GROUPS = 1;

/** Rows of all tables of a width in `tables.bin`; the fused row of an id is its slot's `base` plus the id. */
export interface FusedTable {
  readonly width: number;
  readonly rows: number;
  /** Bytes before its first row. */
  readonly offset: number;
  /** int8: bytes before the scale and lowest weight of its first row. */
  readonly scalesOffset?: number;
}

/** `fused.json`: everything about `request.onnx` and `candidate.onnx` that is not in them. */
export interface FusedManifest {
  readonly version: 1;
  readonly precision: ExportManifest['precision'];
  readonly tables: readonly FusedTable[];
  /** Blocks, dense blocks and sequences of the surface alone; bases are those of `tables.bin`. */
  readonly layout: ModelLayout;
  /** Sequences the surface does not have: every request has one event of absent rows. */
  readonly absentSequences: readonly string[];
  /** What goes from the one graph to the other. */
  readonly cut: readonly CutTensor[];
}

/** The slots of a block that the surface looks up, moved together; the others are constants of the graph. */
export interface KeptBlock {
  readonly block: LookupBlock;
  /** Per slot of the whole block: its slot here, or null for a constant. */
  readonly slots: readonly (LookupSlot | null)[];
}

/** Whether a surface looks a slot's ids up: it has the column, and they are not all the same. */
export const keepSlots = (block: LookupBlock, has: (column: string) => boolean): KeptBlock => {
  const kept: LookupSlot[] = [];
  const slots = block.slots.map((slot) => {
    if (slot.column === SURFACE_COLUMN || !has(slot.column)) return null;
    const moved = { ...slot, offset: kept.length * block.width };
    kept.push(moved);
    return moved;
  });
  return { block: { ...block, slots: kept, blockWidth: kept.length * block.width }, slots };
};

/** The same of dense columns. */
export const keepDense = (block: DenseBlock, has: (column: string) => boolean): { readonly block: DenseBlock; readonly slots: readonly (DenseSlot | null)[] } => {
  const kept: DenseSlot[] = [];
  let offset = 0;
  const slots = block.slots.map((slot) => {
    if (!has(slot.column)) return null;
    const moved = { ...slot, offset };
    offset += slot.size;
    kept.push(moved);
    return moved;
  });
  return { block: { ...block, slots: kept, blockWidth: offset }, slots };
};
