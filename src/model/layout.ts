/**
 * How a model's inputs are laid out: which fused tables there are, which lookups fill which embedding block, which
 * columns fill which dense block. Plain data: it crosses threads, is stored in checkpoints and drives exports.
 */
import type { Pooling, Side } from '../config/project.js';

/** One embedding table's rows inside its fused table. */
export interface TableSlice {
  readonly name: string;
  /** First row in the fused table. */
  readonly base: number;
  readonly rows: number;
}

/** All tables of one width, stored and looked up as one. */
export interface FusedTableLayout {
  readonly width: number;
  readonly rows: number;
  readonly tables: readonly TableSlice[];
}

/** One encoded column looked up into `width` floats at `offset` of its block's rows. */
export interface LookupSlot {
  /** Encoded column, or `@surface` / `@view_type`: the request's own index. */
  readonly column: string;
  /** First row of its table in the fused table: the fused row is `base + encoded id`. */
  readonly base: number;
  /** Rows of its table: an encoded id must be below it. */
  readonly rows: number;
  /** `single` reads an id column; the others pool an ids column (an empty list gives zeros). */
  readonly pooling: 'single' | Pooling;
  /** Floats before it in the block's row. */
  readonly offset: number;
}

/** One graph input `[requests or candidates, blockWidth]`, filled by lookups in one fused table. */
export interface LookupBlock {
  /** Name of the graph input, e.g. `embedding.request.16`. */
  readonly name: string;
  readonly side: Side;
  readonly width: number;
  readonly slots: readonly LookupSlot[];
  readonly blockWidth: number;
}

/** A number column fills two floats (value or 0, presence 1 or 0); a vector column fills size + 1. */
export interface DenseSlot {
  readonly column: string;
  readonly kind: 'number' | 'vector';
  readonly offset: number;
  /** Floats it fills, presence included. */
  readonly size: number;
}

/** One graph input `[requests or candidates, blockWidth]` of dense features. */
export interface DenseBlock {
  /** `dense.request` or `dense.candidate`. */
  readonly name: string;
  readonly side: Side;
  readonly slots: readonly DenseSlot[];
  readonly blockWidth: number;
}

/** Dropout needs a fresh mask a step: a graph input `[rows, width]`, each entry 0 or 1 / (1 − rate); `[1, width]` ones when scoring. */
export interface DropoutInput {
  readonly name: string;
  readonly width: number;
  readonly rate: number;
  /** Rows of the mask when training. */
  readonly rows: Side;
}

/** Everything the engine must know to turn a `Batch` into graph inputs. */
export interface ModelLayout {
  /** The model's surfaces, in project order: rows of any other are not its. */
  readonly surfaces: readonly string[];
  /** Project surface index of each. */
  readonly surfaceIndices: readonly number[];
  readonly tasks: readonly { readonly name: string; readonly weight: number; readonly surfaces: readonly string[] }[];
  readonly fusedTables: readonly FusedTableLayout[];
  readonly blocks: readonly LookupBlock[];
  readonly dense: readonly DenseBlock[];
  readonly dropout: readonly DropoutInput[];
}

/** A dense parameter and how it starts. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer:
    | { readonly type: 'zeros' }
    /** One value per element. */
    | { readonly type: 'values'; readonly values: readonly number[] }
    /** Uniform in ±sqrt(6 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
    | { readonly type: 'glorot'; readonly fanIn: number; readonly fanOut: number };
  /** Weight decay applies (weights, not biases or scales). */
  readonly decay: boolean;
}

/** Names of the graph inputs that every model shares. */
export const INPUT = {
  /** int64 [candidates]. */
  rowToRequest: 'row_to_request',
  /** int64 [requests, segment_width]: the candidates of each request, padded with 0. */
  segmentSlots: 'segment_slots',
  /** float32 [requests, 1, segment_width]: 1 where the slot is a candidate, 0 where it pads. */
  segmentMask: 'segment_mask',
  /** int64 [surfaces of the model]: candidates per surface; rows are in surface order. Only where the model has more than one. */
  surfaceCandidates: 'surface_candidates',
} as const;

/** Output `[candidates, tasks]` of every model: logits, in the layout's task order. */
export const LOGITS = 'logits';
