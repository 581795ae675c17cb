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

/** Scores for every protocol. */
export class ScoringService {
  readonly #options: ScoringServiceOptions;

  constructor(options: ScoringServiceOptions) {
    this.#options = options;
  }

  /** The scorer as one protocol uses it. */
  for(protocol: Protocol): Scorer {
    const { engine, readiness } = this.#options;
    const score = (request: RawRequest): Promise<ScoredRequest> => this.#score(request, protocol);
    return {
      score,
      surfaces: () => engine.surfaces(),
      get isReady() {
        return readiness.isReady;
      },
    };
  }

  async #score(request: RawRequest, protocol: Protocol): Promise<ScoredRequest> {
    const { tracing, engine } = this.#options;
    const started = performance.now();
    // Whatever a client calls a surface must not become a label.
    const known = engine.find(request.surface, request.version);
    const labels = { surface: known?.surface ?? '', version: known?.version ?? '' };
    try {
      const result = await tracing.withSpan('score', { surface: labels.surface, candidates: request.candidateCount }, request.trace, () => this.#scored(request, protocol));
      this.#record(request, protocol, labels, started, 'ok', undefined);
      return result;
    } catch (error) {
      this.#record(request, protocol, labels, started, error instanceof RequestError ? error.code : 'internal', error);
      throw error;
    }
  }

  async #scored(request: RawRequest, protocol: Protocol): Promise<ScoredRequest> {
    const { engine, metrics, featureLog, tracing } = this.#options;
    const { completed, degraded } = await this.#complete(request);
    const began = performance.now();
    const scored = await engine.score(completed);
    // Measured by the engine, where many requests are in one run; told here, where the span is this request's.
    if (scored.times !== undefined) {
      const { encoded, started, ended } = scored.times;
      tracing.record('encode', { from: began, to: encoded });
      tracing.record('queue', { from: encoded, to: started });
      tracing.record('run', { from: started, to: ended });
    }
    const keys = this.#ignoredKeys(request, protocol);
    const result = degraded.length + keys.length === 0 ? scored : { ...scored, degraded, ignored: [...scored.ignored, ...keys] };
    metrics.defaulted(result.surface, result.version, result.defaulted);
    // Keys are no columns.
    metrics.ignored(result.surface, scored.ignored.length + (request.unread?.length ?? 0));
    metrics.scored({ surface: result.surface, version: result.version, viewType: completed.viewType ?? completed.surface, scores: result.scores });
    const served = engine.find(result.surface, result.version)?.served;
    if (served !== undefined) featureLog?.log(completed, result, served);
    return result;
  }

  async #complete(request: RawRequest): Promise<{ readonly completed: RawRequest; readonly degraded: readonly string[] }> {
    const { engine, store, metrics, tracing } = this.#options;
    const served = engine.find(request.surface, request.version)?.served;
    if (store === undefined || served === undefined || (request.userId === undefined && request.itemIds === undefined)) return { completed: request, degraded: [] };
    const started = performance.now();
    const { request: completed, degraded } = await tracing.withSpan('features', {}, undefined, () => completeRequest(request, served, store.features, { timeoutMs: store.timeoutMs }));
    metrics.store({ op: 'lookup', outcome: degraded.length === 0 ? 'ok' : 'degraded', seconds: (performance.now() - started) / 1000 });
    if (degraded.length > 0) metrics.degraded(degraded);
    return { completed, degraded };
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
