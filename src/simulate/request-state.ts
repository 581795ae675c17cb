import { INTERESTS } from './audience.js';
import { SURFACES, TASKS } from './surface-definitions.js';
import { LATENT_SIZE } from './topics.js';

/** Most candidates a request can have. */
export const MAX_CANDIDATES = Math.max(...SURFACES.map((surface) => surface.meanCandidates + surface.candidateSpread));

/** One request while it is simulated; a single instance is reused for the whole log. */
export interface RequestState {
  /** Index into `SURFACES`. */
  surface: number;
  user: number;
  timeMs: number;
  /** Days since the log's start, with a fraction. */
  day: number;
  hour: number;
  /** Index into the surface's view types. */
  viewType: number;
  device: number;
  /** −1 without a query. */
  query: number;
  /** Organic pin's index, −1 without one. */
  subjectPin: number;
  /** Topic of the query or subject pin, −1 without either. */
  contextTopic: number;
  /** Running sums of the user's interest weights now. */
  readonly interestWeights: Float64Array;
  readonly interest: Float64Array;
  count: number;
  /** Per candidate, in the order shown: index `i` is position `i + 1`. */
  readonly ad: Int32Array;
  /** Per candidate: how well the ad matches the user and the context (part of the click log-odds). */
  readonly match: Float64Array;
  /** Per candidate: click log-odds before position and the surface's intercept. */
  readonly appeal: Float64Array;
  /** Per task of `TASKS`, per candidate: the true probability, as float32 since that is what the log holds. */
  readonly probability: readonly Float32Array[];
  /** Per candidate: probability of a save once it is clicked. */
  readonly saveAfterClick: Float64Array;
  /** Per task of `TASKS`, per candidate: 0 or 1. */
  readonly label: readonly Uint8Array[];
}

export const createRequestState = (): RequestState => ({
  surface: 0,
  user: 0,
  timeMs: 0,
  day: 0,
  hour: 0,
  viewType: 0,
  device: 0,
  query: -1,
  subjectPin: -1,
  contextTopic: -1,
  interestWeights: new Float64Array(INTERESTS),
  interest: new Float64Array(LATENT_SIZE),
  count: 0,
  ad: new Int32Array(MAX_CANDIDATES),
  match: new Float64Array(MAX_CANDIDATES),
  appeal: new Float64Array(MAX_CANDIDATES),
  probability: TASKS.map(() => new Float32Array(MAX_CANDIDATES)),
  saveAfterClick: new Float64Array(MAX_CANDIDATES),
  label: TASKS.map(() => new Uint8Array(MAX_CANDIDATES)),
});
