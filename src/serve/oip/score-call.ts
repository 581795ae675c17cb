/** Scores an infer call: its requests together, their answers joined again. */
import type { DefaultedFeature, RawRequest, ScoredRequest, Scorer, ServedSurface } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import type { InferAnswer, InferCall, InferLimits } from './infer-call.js';
import { toRawRequests, type CallContext } from './to-raw-requests.js';

/**
 * A loaded version; the current one where none is named.
 *
 * @throws RequestError `not_found`
 */
export const findSurface = (scorer: Scorer, model: string, version: string | undefined): ServedSurface => {
  const loaded = scorer.surfaces();
  const own = loaded.filter(({ surface }) => surface === model);
  if (own.length === 0) throw new RequestError('not_found', `no model "${model}" is loaded`, { path: 'model_name', expected: `one of ${[...new Set(loaded.map(({ surface }) => surface))].join(', ')}` });
  const found = own.find((one) => (version === undefined ? one.isCurrent : one.version === version));
  if (found !== undefined) return found;
  throw new RequestError('not_found', `no version "${version ?? ''}" of "${model}" is loaded`, { path: 'model_version', expected: `one of ${own.map((one) => one.version).join(', ')}` });
};

const joinScores = (parts: readonly Float32Array[], candidates: number): Float32Array => {
  if (parts.length === 1) return parts[0]!;
  const joined = new Float32Array(candidates);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
};

const joinDefaulted = (scored: readonly ScoredRequest[]): readonly DefaultedFeature[] => {
  if (scored.length === 1) return scored[0]!.defaulted;
  const joined = new Map<string, DefaultedFeature>();
  for (const one of scored.flatMap(({ defaulted }) => defaulted)) {
    const key = `${one.reason} ${one.feature}`;
    joined.set(key, { ...one, rows: one.rows + (joined.get(key)?.rows ?? 0) });
  }
  return [...joined.values()];
};

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

const parametersOf = (scored: readonly ScoredRequest[], unread: readonly string[]): InferAnswer['parameters'] => {
  const ignored = distinct([...unread, ...scored.flatMap((one) => one.ignored)]);
  const degraded = distinct(scored.flatMap((one) => one.degraded));
  return {
    version: scored[0]!.version,
    defaulted: JSON.stringify(joinDefaulted(scored)),
    ...(ignored.length === 0 ? {} : { ignored: JSON.stringify(ignored) }),
    ...(degraded.length === 0 ? {} : { degraded: JSON.stringify(degraded) }),
  };
};

/** A call, and the requests it is made of. */
export interface ReadCall {
  readonly call: InferCall;
  readonly surface: ServedSurface;
  readonly requests: readonly RawRequest[];
}

/** @throws RequestError of what is wrong with the call */
export const readCall = (scorer: Scorer, call: InferCall, limits: InferLimits, context: CallContext): ReadCall => {
  const surface = findSurface(scorer, call.model, call.version);
  const requests = toRawRequests(call, surface, limits, context);
  if (requests.length === 0) throw new RequestError('invalid', 'the call has no request', { path: 'inputs', expected: 'one request or more' });
  return { call, surface, requests };
};

/** @throws RequestError of the first of its requests that is not scored: then none of them is answered */
export const scoreCall = async (scorer: Scorer, { call, surface, requests }: ReadCall): Promise<InferAnswer> => {
  const scored = await scorer.scoreAll(requests);
  const candidates = requests.reduce((sum, { candidateCount }) => sum + candidateCount, 0);
  const tasks = call.outputs.length === 0 ? surface.tasks : call.outputs;
  return {
    model: call.model,
    version: scored[0]!.version,
    ...(call.id === undefined ? {} : { id: call.id }),
    parameters: parametersOf(scored, requests[0]!.unread ?? []),
    outputs: tasks.map((name) => ({ name, values: joinScores(scored.map(({ scores }) => scores[name]!), candidates) })),
  };
};
