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
  /** Encoded column; `@surface` / `@view_type`: the request's own index; `@position`: a token's distance from the newest. */
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

/** What one row of an input stands for: a request, a candidate, or an event of a sequence (flat over the batch's requests). */
export type RowSpace = Side | `tokens:${string}`;

/** One graph input `[requests, candidates or tokens, blockWidth]`, filled by lookups in one fused table. */
export interface LookupBlock {
  /** Name of the graph input, e.g. `embedding.request.16`. */
  readonly name: string;
  readonly rows: RowSpace;
  /** The surface whose tower alone reads it (late fusion); absent: the trunk. */
  readonly late?: string;
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
  readonly rows: Side;
  /** The surface whose tower alone reads it (late fusion); absent: the trunk. */
  readonly late?: string;
  readonly slots: readonly DenseSlot[];
  readonly blockWidth: number;
}

/** Dropout needs a fresh mask a step: a graph input `[rows, width]`, each entry 0 or 1 / (1 − rate); `[1, width]` ones when scoring. */
export interface DropoutInput {
  readonly name: string;
  readonly width: number;
  readonly rate: number;
  /** Rows of the mask when training. */
  readonly rows: RowSpace;
}

/** A sequence that a Transformer reads. */
export interface SequenceLayout {
  readonly name: string;
  /** An encoded ids column of it: its offsets say which tokens are whose. */
  readonly column: string;
  /** Most tokens a request can have. */
  readonly length: number;
  readonly heads: number;
  readonly attention: 'causal' | 'full';
  /** Whether candidates attend to it. */
  readonly readByCandidates: boolean;
}

/**
 * Attention alone needs rectangles: requests are put into this many groups of similar length, each padded to its own
 * longest. Everything else runs on the flat tokens.
 */
export const ATTENTION_GROUPS = 8;

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
  readonly sequences: readonly SequenceLayout[];
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

/** What is added to the score of a key that a query must not see. */
export const MASKED_SCORE = -1e9;

/** Names of the graph inputs of a sequence: where the heads of its tokens stand in the rectangles that attention needs. */
export const sequenceInput = {
  /**
   * int32 [group requests, heads, group length]: where `part` of `parts` equal parts of a token's row, cut into heads, is
   * among the rows `[tokens · parts · heads, head width]`; −1 for padding. Queries, keys and values are parts of one row.
   */
  headSources: (sequence: string, parts: number, part: number, group: number): string => `sequence.${sequence}.heads.${part}of${parts}.${group}`,
  /** int32 [tokens · parts · heads]: where each of those rows stands, through part 0's groups, then part 1's and so on. */
  headPlaces: (sequence: string, parts: number): string => `sequence.${sequence}.heads.${parts}.places`,
  /** float32 [group requests, 1, 1, group length]: 0 for an event, −1e9 for padding. */
  keyBias: (sequence: string, group: number): string => `sequence.${sequence}.key_bias.${group}`,
  /** float32 [1, 1, group length, group length]: 0 on and under the diagonal, −1e9 above. */
  causalBias: (sequence: string, group: number): string => `sequence.${sequence}.causal_bias.${group}`,
  /** int32 [group requests, heads, group candidates]: rows of the candidates' heads; −1 for padding. */
  candidateSources: (sequence: string, group: number): string => `sequence.${sequence}.candidates.${group}`,
  /** int32 [candidates · heads]: where each of those stands among all groups. */
  candidatePlaces: (sequence: string): string => `sequence.${sequence}.candidates.places`,
  /** int32 [requests]: each request's newest token; −1 for an empty history. */
  newest: (sequence: string): string => `sequence.${sequence}.newest`,
  /** int32 [tokens]: the request whose newest token it is; −1 for every other. */
  newestOf: (sequence: string): string => `sequence.${sequence}.newest_of`,
  /** float32 [candidates, 1]: 1 where the candidate's request has a history. */
  hasHistory: (sequence: string): string => `sequence.${sequence}.has_history`,
} as const;

/** Output `[candidates, tasks]` of every model: logits, in the layout's task order. */
export const LOGITS = 'logits';
