/** A client of `POST /v1/score` whose types are those of the surfaces it asks: `onefold client` writes them. */
import { UsageError } from '../../config/errors.js';
import { timerMs } from '../timer-ms.js';
import { withinTime } from './within-time.js';

/** What a surface takes and gives. */
export interface SurfaceType {
  readonly viewType: string;
  readonly task: string;
  /** Features of the request, by name. */
  readonly features: object;
  /** Features of a candidate, by name. */
  readonly candidate: object;
}

/** Surfaces by name. */
export type SurfaceTypes = Readonly<Record<string, SurfaceType>>;

/** Candidates by their features, by their keys in the server's feature store, or both. */
type Candidates<S extends SurfaceType> =
  | { readonly candidates: readonly S['candidate'][]; readonly itemIds?: readonly (string | null)[] }
  | { readonly candidates?: readonly S['candidate'][]; readonly itemIds: readonly (string | null)[] };

/** One request of a surface. */
export type ScoreRequest<S extends SurfaceType, N extends string = string, T extends S['task'] = S['task']> = Candidates<S> & {
  readonly surface: N;
  readonly viewType?: S['viewType'];
  /** A loaded version; left out: the one that serves. */
  readonly version?: string;
  readonly requestId?: string;
  /** Key of the user in the server's feature store. */
  readonly userId?: string;
  /** Epoch ms or ISO 8601; left out: now. */
  readonly time?: number | string;
  readonly features?: S['features'];
  /** Left out: all. */
  readonly tasks?: readonly T[];
};

export interface ScoreResponse<T extends string> {
  readonly surface: string;
  readonly version: string;
  readonly requestId?: string;
  /** A probability for each candidate, in their order. */
  readonly scores: Readonly<Record<T, readonly number[]>>;
  readonly defaulted: readonly { readonly feature: string; readonly reason: 'missing' | 'null' | 'unknown' | 'late'; readonly rows: number }[];
  readonly ignored: readonly string[];
  readonly degraded: readonly string[];
}

export interface ClientOptions {
  /** E.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** For an answer, tries included. Default 1000; 24 days at most. */
  readonly timeoutMs?: number;
  /** Default: the runtime's own. */
  readonly fetch?: typeof fetch;
}

/** Scores requests over HTTP. */
export interface Client<S> {
  /**
   * Asks for scores; where there is too much to do, again after a while, as long as there is time.
   *
   * @throws ScoreError when the request is not scored
   */
  score<N extends keyof S & string, T extends TypeOf<S, N>['task'] = TypeOf<S, N>['task']>(request: ScoreRequest<TypeOf<S, N>, N, T>): Promise<ScoreResponse<T>>;
}

/** A surface's type. */
type TypeOf<S, N extends keyof S> = S[N] extends SurfaceType ? S[N] : never;

/** A request without scores. */
export class ScoreError extends Error {
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** As the server calls it, e.g. `invalid`, which a request that is no JSON is too; `timeout` and `network` where it did not say. */
  readonly code: string;
  /** Path of the value that was wrong. */
  readonly path: string | undefined;
  readonly expected: string | undefined;

  constructor(status: number, code: string, message: string, details: { readonly path?: string | undefined; readonly expected?: string | undefined; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ScoreError';
    this.status = status;
    this.code = code;
    this.path = details.path;
    this.expected = details.expected;
  }
}

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly message?: string; readonly path?: string; readonly expected?: string };
}

const toError = async (response: Response): Promise<ScoreError> => {
  const body = (await response.json().catch(() => ({}))) as ErrorBody;
  const { code = 'unknown', message = `status ${response.status}`, path, expected } = body.error ?? {};
  return new ScoreError(response.status, code, message, { path, expected });
};

/** Answers that another try may change. */
const isBusy = (status: number): boolean => status === 429 || status === 503;

/** Waits of tries whose answer names none. */
const FIRST_WAIT_MS = 20;

/** Proxies name a date where the server names seconds. */
const retryAfterMs = (response: Response): number => {
  const after = response.headers.get('retry-after') ?? '';
  const wait = /^\d/.test(after) ? 1000 * Number(after) : Date.parse(after) - Date.now();
  return wait > 0 ? wait : 0;
};

/** @throws ScoreError `invalid` when the request holds what JSON has not, such as a BigInt */
const bodyOf = (request: object, timeoutMs: number): string => {
  try {
    return JSON.stringify({ ...request, timeoutMs });
  } catch (cause) {
    throw new ScoreError(0, 'invalid', `the request cannot be written as JSON: ${(cause as Error).message}`, { expected: 'texts, numbers, true, false, null, lists and objects of them; large ids as texts', cause });
  }
};

/** What one try gave: an answer with scores, or how long to wait before the next. */
type Try = { readonly answer: unknown } | { readonly pause: number };

/**
 * A client of one server.
 *
 * @throws UsageError when the URL is none
 */
export const createClient = <S>({ url, token, timeoutMs = 1000, fetch: send = fetch }: ClientOptions): Client<S> => {
  if (!/^https?:/u.test(url) || !URL.canParse(url)) {
    throw new UsageError(`"${url}" is no URL of HTTP: expected e.g. http://127.0.0.1:8080`, { where: 'url', expected: 'e.g. http://127.0.0.1:8080', fix: 'give the address with http:// or https:// before it' });
  }
  const endpoint = `${url.replace(/\/+$/, '')}/v1/score`;
  const headers = { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const failure = (cause: unknown): ScoreError => {
    if (cause instanceof ScoreError) return cause;
    const name = (cause as { readonly name?: unknown } | null)?.name;
    if (name === 'TimeoutError') return new ScoreError(0, 'timeout', `no answer within ${timeoutMs} ms`, { cause });
    if (name === 'SyntaxError') return new ScoreError(0, 'network', `${endpoint} answers with what is no JSON`, { cause });
    return new ScoreError(0, 'network', `${endpoint} does not answer`, { cause });
  };
  return {
    score: async (request) => {
      const endsAt = performance.now() + timerMs(timeoutMs);
      for (let wait = FIRST_WAIT_MS; ; wait *= 2) {
        const left = Math.max(1, Math.ceil(endsAt - performance.now()));
        const ask = async (signal: AbortSignal): Promise<Try> => {
          const response = await send(endpoint, { method: 'POST', headers, body: bodyOf(request, left), signal });
          if (response.ok) return { answer: await response.json() };
          const pause = Math.max(wait, retryAfterMs(response));
          if (!isBusy(response.status) || performance.now() + pause >= endsAt) throw await toError(response);
          await response.body?.cancel();
          return { pause };
        };
        const tried = await withinTime(left, ask).catch((cause: unknown) => {
          throw failure(cause);
        });
        if ('answer' in tried) return tried.answer as never;
        await new Promise((resolve) => setTimeout(resolve, tried.pause));
      }
    },
  };
};
