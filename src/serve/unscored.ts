/** Requests that end before a scorer has them, which is what counts and logs all others. */
import type { RequestLine } from './observe/request-log.js';
import type { Protocol } from './observe/traffic-metrics.js';
import type { Scorer, ServedSurface } from './raw-request.js';
import type { RequestError, RequestErrorCode } from './request-error.js';

/** What a request names, as far as it was read. */
export interface RequestNames {
  readonly surface?: string | undefined;
  /** Left out: the version that serves now. */
  readonly version?: string | undefined;
  readonly requestId?: string | undefined;
}

/** A request that was answered with an error. */
export interface FailedRequest {
  readonly protocol: Protocol;
  readonly error: RequestError;
  /** Since it came. */
  readonly milliseconds: number;
  /** What is known of it without its body. */
  readonly names?: RequestNames;
}

/** A request to score that no scorer had. */
export interface UnscoredRequest extends RequestLine {
  readonly outcome: RequestErrorCode;
}

/** Whatever a client calls a surface must not become a label: names that are not loaded are empty. */
const labelsOf = (loaded: readonly ServedSurface[], { surface, version }: RequestNames): Pick<RequestLine, 'surface' | 'version'> => {
  const own = loaded.filter((one) => one.surface === surface);
  const found = own.find((one) => (version === undefined ? one.isCurrent : one.version === version));
  return { surface: own[0]?.surface ?? '', version: found?.version ?? '' };
};

/** Tells of each request to score that was refused, or could not be read. */
export class Unscored {
  readonly #scorer: Pick<Scorer, 'surfaces'>;
  readonly #report: (request: UnscoredRequest) => void;
  readonly #named = new WeakMap<object, RequestNames>();
  readonly #reached = new WeakSet<object>();

  constructor(scorer: Pick<Scorer, 'surfaces'>, report: (request: UnscoredRequest) => void) {
    this.#scorer = scorer;
    this.#report = report;
  }

  /** What a request names was read; whether it can be scored is not known yet. */
  named(request: object, names: RequestNames): void {
    this.#named.set(request, names);
  }

  /** The scorer has the request: from here on it is the scorer's to tell how it ends. */
  reached(request: object): void {
    this.#reached.add(request);
  }

  /** A request to score was answered with an error. */
  failed(request: object, { protocol, error, milliseconds, names }: FailedRequest): void {
    if (this.#reached.has(request)) return;
    const known: RequestNames = { ...names, ...this.#named.get(request) };
    this.#report({ ...labelsOf(this.#scorer.surfaces(), known), requestId: known.requestId, protocol, outcome: error.code, milliseconds, candidates: 0, error });
  }
}
