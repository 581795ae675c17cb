/** What every protocol turns its messages into, and what it gets back to answer with. */
import type { RawColumn } from '../data/raw-column.js';
import type { TraceHeaders } from './observe/tracing.js';

/** One request with raw values: one user, one context, many candidates of one surface. */
export interface RawRequest {
  readonly surface: string;
  /** A loaded version of the surface's export; left out: the one that serves now. */
  readonly version?: string;
  /** Left out: the surface's own name where it has no view types, else the view type never seen. */
  readonly viewType?: string;
  readonly requestId?: string;
  /** Key of the request side in the feature store. */
  readonly userId?: string;
  /** Moment of the request, epoch ms: histories end before it. */
  readonly time: number;
  readonly candidateCount: number;
  /** Keys of the candidates in the feature store, one each. */
  readonly itemIds?: readonly (string | null)[];
  /** Request-side raw columns of one row each, by raw name: a feature, `sequence.field`, or `sequence.@time` (epoch ms). */
  readonly requestColumns: ReadonlyMap<string, RawColumn>;
  /** Candidate-side raw columns of `candidateCount` rows each. */
  readonly candidateColumns: ReadonlyMap<string, RawColumn>;
  /** Names of columns that were left out because the version does not read them. Whoever left them out tells the client of them. */
  readonly unread?: readonly string[];
  /** Left out: every task of the surface. */
  readonly tasks?: readonly string[];
  /** `performance.now()` after which nobody waits for the answer. */
  readonly deadline?: number;
  /** `performance.now()` when it came, before it was read; left out: when the scorer gets it. */
  readonly arrived?: number;
  /** Headers that the request came with, the W3C trace context's among them. */
  readonly trace?: TraceHeaders;
  /** Aborted when the client goes away: the request is not worked on any further. */
  readonly signal?: AbortSignal;
}

/** Why what was scored was not the request's own. */
export type DefaultReason = 'missing' | 'null' | 'unknown' | 'late';

/** A feature whose value was replaced, and on how many rows. */
export interface DefaultedFeature {
  readonly feature: string;
  /** `missing`: no value was given; `null`: null was; `unknown`: the vocabulary does not have it; `late`: events were not before the request. */
  readonly reason: DefaultReason;
  /** Of the request (1) or of its candidates. */
  readonly rows: number;
}

/** Scores of one request. */
export interface ScoredRequest {
  readonly surface: string;
  /** The version that scored it. */
  readonly version: string;
  /** Probability of each candidate, by task, in the order of the candidates. */
  readonly scores: Readonly<Record<string, Float32Array>>;
  readonly defaulted: readonly DefaultedFeature[];
  /** Names of columns that the export does not read, or not on that side; keys of a feature store that there is not. */
  readonly ignored: readonly string[];
  /** `performance.now()` when it was encoded, when its run began, and when that ended; absent where nothing was run. */
  readonly times?: { readonly encoded: number; readonly started: number; readonly ended: number };
  /** What the feature store could not give because it did not answer; empty without a store, and when it did. */
  readonly degraded: readonly string[];
}

/** One input a surface's export reads, as clients see it. */
export interface RawInput {
  /** Raw name: a feature, `sequence.field` or `sequence.@time`. */
  readonly name: string;
  readonly side: 'request' | 'candidate';
  /** `text` takes numbers and booleans too; `number` takes booleans as 0 and 1. */
  readonly type: 'text' | 'number';
  /** Scalars, lists of any length, or vectors of a fixed size. */
  readonly form: 'scalar' | 'list' | { readonly vector: number };
  /** Its sequence, where it is a field of one. */
  readonly sequence?: string;
  /** Elements of a list that are encoded: the newest of a sequence, the first of others. */
  readonly maxLength?: number;
  readonly description?: string;
}

/** Whether an input is the times of a sequence, epoch ms. */
export const isTime = ({ name, type, sequence }: RawInput): boolean => type === 'number' && sequence !== undefined && name === `${sequence}.@time`;

/** A loaded version of a surface's export. */
export interface ServedSurface {
  readonly surface: string;
  readonly version: string;
  /** SHA-256 that its manifest has. */
  readonly digest: string;
  /** Requests that name no version get this one. */
  readonly isCurrent: boolean;
  readonly tasks: readonly string[];
  readonly viewTypes: readonly string[];
  readonly inputs: readonly RawInput[];
}

/** The scorer: in process, and behind every protocol. */
export interface Scorer {
  /**
   * @throws RequestError when the request cannot be scored as it is: `invalid`, `not_found`, `too_large`; when there is no
   * capacity: `overloaded`, `unavailable`; `deadline`; `cancelled`
   */
  score(request: RawRequest): Promise<ScoredRequest>;
  /**
   * Scores the requests of one call, of one surface and version: all of them or none.
   *
   * @throws RequestError as for one; `too_large` when there are more than may wait at a time
   */
  scoreAll(requests: readonly RawRequest[]): Promise<readonly ScoredRequest[]>;
  /** Every loaded version of every surface. */
  surfaces(): readonly ServedSurface[];
  /** Whether requests can be scored now. */
  readonly isReady: boolean;
}
