/** Why a request was not scored; each protocol has its own way of saying so. */
export type RequestErrorCode =
  /** A value has the wrong type or shape. */
  | 'invalid'
  /** No such surface, version or task. */
  | 'not_found'
  /** No token, or a wrong one. */
  | 'unauthorized'
  /** More bytes, candidates or nesting than is allowed. */
  | 'too_large'
  /** The queue is full or too slow for the deadline: try again later. */
  | 'overloaded'
  /** Nothing is loaded, or the server is going down. */
  | 'unavailable'
  /** Its time was over before it was scored. */
  | 'deadline'
  /** Whoever asked has gone. */
  | 'cancelled'
  /** A defect of ours. */
  | 'internal';

/** HTTP status of each code. */
export const HTTP_STATUS: Readonly<Record<RequestErrorCode, number>> = {
  invalid: 400,
  not_found: 404,
  unauthorized: 401,
  too_large: 413,
  overloaded: 429,
  unavailable: 503,
  deadline: 504,
  cancelled: 499,
  internal: 500,
};

/** What a request error says beside its message. */
export interface RequestErrorDetails {
  /** Path of the field, e.g. `candidates[3].price`. */
  readonly path?: string;
  readonly expected?: string;
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** A request that gets no scores. */
export class RequestError extends Error {
  readonly code: RequestErrorCode;
  readonly path: string | undefined;
  readonly expected: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: RequestErrorCode, message: string, details: RequestErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RequestError';
    this.code = code;
    this.path = details.path;
    this.expected = details.expected;
    this.retryAfter = details.retryAfter;
  }
}

/** Characters of a text in an error's answer, at most: it may hold what the client sent. */
export const LONGEST_TEXT = 1000;

/** The start of a text that a client may have made up; no character is cut in two. */
export const shortened = (text: string, most: number): string => {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return `${text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most)}…`;
};

/** What a client is told of a defect of ours: nothing but that it is one. */
export const defect = (cause: unknown): RequestError => new RequestError('internal', 'the server failed; it is in its log', { cause });
