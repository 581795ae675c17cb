import type { Side } from '../config/project.js';
import type { Tensor } from '../graph/tensor.js';
import { input } from '../graph/inputs.js';
import { concat } from '../graph/ops/concat.js';
import { broadcastRows } from '../graph/ops/segments.js';
import { INPUT, type ModelLayout } from './layout.js';

/** A model's features before any layer: what is known per request and what is known per candidate. */
export interface SideFeatures {
  /** `[requests, d]`, or null when the model has no request-side feature. */
  readonly request: Tensor | null;
  /** `[candidates, d]`, or null. */
  readonly candidate: Tensor | null;
}

/** Graph inputs of the layout's lookup and dense blocks. */
export interface BlockInputs {
  /** Same order as `layout.blocks`. */
  readonly blocks: readonly Tensor[];
  /** Same order as `layout.dense`. */
  readonly dense: readonly Tensor[];
}

const rowsOf = (side: Side): string => (side === 'request' ? 'requests' : 'candidates');

/** One graph input per block of the layout: what the engine fills when it trains and evaluates. */
export const blockInputs = (layout: ModelLayout): BlockInputs => ({
  blocks: layout.blocks.map((block) => input(block.name, 'float32', [rowsOf(block.side), block.blockWidth])),
  dense: layout.dense.map((block) => input(block.name, 'float32', [rowsOf(block.side), block.blockWidth])),
});

/** Blocks of each side next to each other, in the layout's order: lookups first, then dense features. */
export const assembleSides = (layout: ModelLayout, inputs: BlockInputs): SideFeatures => {
  const ofSide = (side: Side): Tensor | null => {
    const parts = [
      ...inputs.blocks.filter((_, index) => layout.blocks[index]!.side === side),
      ...inputs.dense.filter((_, index) => layout.dense[index]!.side === side),
    ];
    if (parts.length === 0) return null;
    return parts.length === 1 ? parts[0]! : concat(parts, 1);
  };
  return { request: ofSide('request'), candidate: ofSide('candidate') };
};

/** Request-level features `[requests, d]`, broadcast to `[candidates, d]`. */
export const broadcastToCandidates = (request: Tensor): Tensor =>
  broadcastRows(request, input(INPUT.rowToRequest, 'int64', ['candidates']), {
    slots: input(INPUT.segmentSlots, 'int64', ['requests', 'segment_width']),
    mask: input(INPUT.segmentMask, 'float32', ['requests', 1, 'segment_width']),
  });

/** Both sides per candidate `[candidates, request width + candidate width]`. */
export const joinSides = (sides: SideFeatures): Tensor => {
  const parts = [...(sides.request === null ? [] : [broadcastToCandidates(sides.request)]), ...(sides.candidate === null ? [] : [sides.candidate])];
  if (parts.length === 0) throw new Error('a model needs at least one feature');
  return parts.length === 1 ? parts[0]! : concat(parts, 1);
};
