/** The engine with what a server does around it: stored features before, metrics, traces and the feature log after. */
import type { Engine } from './engine/engine.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import { completeRequest } from './features/complete-request.js';
import type { FeatureLog } from './features/feature-log.js';
import type { FeatureStore } from './features/feature-store.js';
import { UNREAD } from './json/raw-values.js';
import type { RequestLine } from './observe/request-log.js';
import { SPECIAL } from './oip/call-rows.js';
import type { Protocol, ServeMetrics } from './observe/serve-metrics.js';
import type { Tracing } from './observe/tracing.js';
import type { RawRequest, ScoredRequest, Scorer, ServedSurface } from './raw-request.js';
import type { Readiness } from './readiness.js';
import { RequestError } from './request-error.js';

export interface ScoringServiceOptions {
  readonly engine: Engine;
  readonly readiness: Readiness;
  readonly metrics: ServeMetrics;
  readonly tracing: Tracing;
  readonly store: { readonly features: FeatureStore; readonly timeoutMs: number } | undefined;
  readonly featureLog: FeatureLog | undefined;
  /** Called for each request, scored or not. */
  readonly onRequest: (request: RequestLine) => void;
}

/** A request with what is stored, and the names of what the store did not give. */
interface CompletedRequest {
  readonly request: RawRequest;
  readonly degraded: readonly string[];
}

type Labels = Pick<RequestLine, 'surface' | 'version'>;

const isNotFound = (error: unknown): boolean => error instanceof RequestError && error.code === 'not_found';

/** What one version does not read was not kept, and another may read it: then it is missing. */
const withoutUnread = (request: RawRequest): RawRequest => {
  const kept = (columns: RawRequest['requestColumns']): RawRequest['requestColumns'] => new Map([...columns].filter(([, column]) => column !== UNREAD));
  return { ...request, requestColumns: kept(request.requestColumns), candidateColumns: kept(request.candidateColumns) };
};

/** Scores for every protocol. */
export class ScoringService {
  readonly #options: ScoringServiceOptions;

  constructor(options: ScoringServiceOptions) {
    this.#options = options;
  }

  /** The scorer as one protocol uses it. */
  for(protocol: Protocol): Scorer {
    const { engine, readiness } = this.#options;
    return {
      score: async (request) => (await this.#score([request], protocol))[0]!,
      scoreAll: (requests) => this.#score(requests, protocol),
      surfaces: () => engine.surfaces(),
      get isReady() {
        return readiness.isReady;
      },
    };
  }

  /** Requests that are answered together have one outcome: where one fails, the client has no score of the others. */
  async #score(requests: readonly RawRequest[], protocol: Protocol): Promise<readonly ScoredRequest[]> {
    const { tracing, engine } = this.#options;
    const { surface, version, trace, arrived = performance.now() } = requests[0]!;
    let known = engine.find(surface, version);
    // Whatever a client calls a surface must not become a label.
    const labels = (): Labels => ({ surface: known?.surface ?? '', version: known?.version ?? '' });
    const candidates = requests.reduce((sum, { candidateCount }) => sum + candidateCount, 0);
    const attributes = { surface: labels().surface, candidates, ...(requests.length === 1 ? {} : { requests: requests.length }) };
    const pinned = async (): Promise<readonly ScoredRequest[]> => {
      try {
        return await this.#scored(requests, known, protocol);
      } catch (error) {
        const next = version === undefined && isNotFound(error) ? this.#successorOf(known) : undefined;
        if (next === undefined) throw error;
        known = next;
        return this.#scored(requests.map(withoutUnread), known, protocol);
      }
    };
    try {
      const results = await tracing.withSpan('score', attributes, trace, pinned);
      for (const request of requests) this.#record(request, protocol, labels(), arrived, 'ok', undefined);
      return results;
    } catch (error) {
      for (const request of requests) this.#record(request, protocol, labels(), arrived, error instanceof RequestError ? error.code : 'internal', error);
      throw error;
    }
  }

  /** The version that serves in place of one that fell out. */
  #successorOf(known: LoadedVersion | undefined): LoadedVersion | undefined {
    const { engine } = this.#options;
    return known === undefined || engine.find(known.surface, known.version) !== undefined ? undefined : engine.find(known.surface);
  }

  /** @param known completes and scores them: another may be the current one before the store has answered */
  async #scored(requests: readonly RawRequest[], known: LoadedVersion | undefined, protocol: Protocol): Promise<readonly ScoredRequest[]> {
    const { engine, metrics, featureLog, tracing } = this.#options;
    const completed = await Promise.all(requests.map((request) => this.#complete(known === undefined ? request : { ...request, version: known.version }, known?.served)));
    const began = performance.now();
    const scored = await engine.scoreAll(completed.map(({ request }) => request));
    return scored.map((one, index) => {
      // Measured by the engine, where many requests are in one run; told here, where the span is this request's.
      if (one.times !== undefined) {
        const { encoded, started, ended } = one.times;
        tracing.record('encode', { from: began, to: encoded });
        tracing.record('queue', { from: encoded, to: started });
        tracing.record('run', { from: started, to: ended });
      }
      const { request, degraded } = completed[index]!;
      const keys = this.#ignoredKeys(request, protocol);
      const result = degraded.length + keys.length === 0 ? one : { ...one, degraded, ignored: [...one.ignored, ...keys] };
      metrics.defaulted(result.surface, result.version, result.defaulted);
      // Keys are no columns.
      metrics.ignored(result.surface, one.ignored.length + (request.unread?.length ?? 0));
      metrics.scored({ surface: result.surface, version: result.version, viewType: request.viewType ?? request.surface, scores: result.scores });
      if (known !== undefined) featureLog?.log(request, result, known.served);
      return result;
    });
  }

  async #complete(request: RawRequest, served: ServedSurface | undefined): Promise<CompletedRequest> {
    const { store, metrics, tracing } = this.#options;
    if (store === undefined || served === undefined || (request.userId === undefined && request.itemIds === undefined)) return { request, degraded: [] };
    const started = performance.now();
    const completed = await tracing.withSpan('features', {}, undefined, () => completeRequest(request, served, store.features, { timeoutMs: store.timeoutMs }));
    metrics.store({ op: 'lookup', outcome: completed.degraded.length === 0 ? 'ok' : 'degraded', seconds: (performance.now() - started) / 1000 });
    if (completed.degraded.length > 0) metrics.degraded(completed.degraded);
    return completed;
  }

  /** Keys of a feature store that there is not, as the protocol names them. */
  #ignoredKeys({ userId, itemIds }: RawRequest, protocol: Protocol): readonly string[] {
    if (this.#options.store !== undefined) return [];
    const isOip = protocol === 'oip-rest' || protocol === 'oip-grpc';
    return [...(userId === undefined ? [] : [isOip ? SPECIAL.userId : 'userId']), ...(itemIds === undefined ? [] : [isOip ? SPECIAL.itemId : 'itemIds'])];
  }

  #record(request: RawRequest, protocol: Protocol, labels: Labels, arrived: number, outcome: RequestLine['outcome'], error: unknown): void {
    const milliseconds = performance.now() - arrived;
    const { metrics, onRequest } = this.#options;
    metrics.requestDone({ ...labels, protocol, outcome, seconds: milliseconds / 1000, candidates: request.candidateCount });
    onRequest({ ...labels, requestId: request.requestId, protocol, outcome, milliseconds, candidates: request.candidateCount, error });
  }
}
