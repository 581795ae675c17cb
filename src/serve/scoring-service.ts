/** The engine with what a server does around it: stored features before, metrics, traces and the feature log after. */
import type { Engine } from './engine/engine.js';
import { completeRequest } from './features/complete-request.js';
import type { FeatureLog } from './features/feature-log.js';
import type { FeatureStore } from './features/feature-store.js';
import type { RequestLine } from './observe/request-log.js';
import { SPECIAL } from './oip/call-rows.js';
import type { Protocol, ServeMetrics } from './observe/serve-metrics.js';
import type { Tracing } from './observe/tracing.js';
import type { RawRequest, ScoredRequest, Scorer } from './raw-request.js';
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
    const started = performance.now();
    const { surface, version, trace } = requests[0]!;
    // Whatever a client calls a surface must not become a label.
    const known = engine.find(surface, version);
    const labels = { surface: known?.surface ?? '', version: known?.version ?? '' };
    const candidates = requests.reduce((sum, { candidateCount }) => sum + candidateCount, 0);
    const attributes = { surface: labels.surface, candidates, ...(requests.length === 1 ? {} : { requests: requests.length }) };
    try {
      const results = await tracing.withSpan('score', attributes, trace, () => this.#scored(requests, protocol));
      for (const request of requests) this.#record(request, protocol, labels, started, 'ok', undefined);
      return results;
    } catch (error) {
      for (const request of requests) this.#record(request, protocol, labels, started, error instanceof RequestError ? error.code : 'internal', error);
      throw error;
    }
  }

  async #scored(requests: readonly RawRequest[], protocol: Protocol): Promise<readonly ScoredRequest[]> {
    const { engine, metrics, featureLog, tracing } = this.#options;
    const completed = await Promise.all(requests.map((request) => this.#complete(request)));
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
      const served = engine.find(result.surface, result.version)?.served;
      if (served !== undefined) featureLog?.log(request, result, served);
      return result;
    });
  }

  async #complete(request: RawRequest): Promise<CompletedRequest> {
    const { engine, store, metrics, tracing } = this.#options;
    const served = engine.find(request.surface, request.version)?.served;
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

  #record(request: RawRequest, protocol: Protocol, labels: { readonly surface: string; readonly version: string }, started: number, outcome: RequestLine['outcome'], error: unknown): void {
    const milliseconds = performance.now() - started;
    const { metrics, onRequest } = this.#options;
    metrics.requestDone({ ...labels, protocol, outcome, seconds: milliseconds / 1000, candidates: request.candidateCount });
    onRequest({ ...labels, requestId: request.requestId, protocol, outcome, milliseconds, candidates: request.candidateCount, error });
  }
}
