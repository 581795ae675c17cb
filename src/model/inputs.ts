import type { Tensor } from '../graph/tensor.js';
import { input } from '../graph/inputs.js';
import { concat } from '../graph/ops/concat.js';
import { broadcastRows } from '../graph/ops/segments.js';
import { INPUT, type DenseBlock, type LookupBlock, type ModelLayout, type RowSpace } from './layout.js';
import type { SideFeatures } from './sides.js';

/** Graph inputs of the layout's lookup and dense blocks. */
export interface BlockInputs {
  /** Same order as `layout.blocks`. */
  readonly blocks: readonly Tensor[];
  /** Same order as `layout.dense`. */
  readonly dense: readonly Tensor[];
}

/** Symbolic dim of a row space. */
export const rowsDim = (rows: RowSpace): string => (rows === 'request' ? 'requests' : rows === 'candidate' ? 'candidates' : rows);

/** One graph input per block of the layout: what the engine fills when it trains and evaluates. */
export const blockInputs = (layout: ModelLayout): BlockInputs => ({
  blocks: layout.blocks.map((block) => input(block.name, 'float32', [rowsDim(block.rows), block.blockWidth])),
  dense: layout.dense.map((block) => input(block.name, 'float32', [rowsDim(block.rows), block.blockWidth])),
});

/** Chosen blocks next to each other, in the layout's order: lookups first, then dense features; null when there is none. */
const joinBlocks = (layout: ModelLayout, inputs: BlockInputs, chosen: (block: LookupBlock | DenseBlock) => boolean): Tensor | null => {
  const parts = [...inputs.blocks.filter((_, index) => chosen(layout.blocks[index]!)), ...inputs.dense.filter((_, index) => chosen(layout.dense[index]!))];
  return parts.length === 0 ? null : concat(parts, 1);
};

/**
 * The features of each side.
 *
 * @param late the surface whose late features are wanted; left out: the trunk's
 */
export const assembleSides = (layout: ModelLayout, inputs: BlockInputs, late?: string): SideFeatures => ({
  request: joinBlocks(layout, inputs, (block) => block.rows === 'request' && block.late === late),
  candidate: joinBlocks(layout, inputs, (block) => block.rows === 'candidate' && block.late === late),
});

/** The fields of a sequence's tokens next to each other: `[tokens, sum of their widths]`. */
export const assembleTokens = (layout: ModelLayout, inputs: BlockInputs, sequence: string): Tensor =>
  joinBlocks(layout, inputs, (block) => block.rows === `tokens:${sequence}`)!;

/** Request-level features `[requests, d]`, broadcast to `[candidates, d]`. */
export const broadcastToCandidates = (request: Tensor): Tensor =>
  broadcastRows(request, input(INPUT.rowToRequest, 'int64', ['candidates']), {
    slots: input(INPUT.segmentSlots, 'int64', ['requests', 'segment_width']),
    mask: input(INPUT.segmentMask, 'float32', ['requests', 1, 'segment_width']),
  });
