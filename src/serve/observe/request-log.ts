/** Which requests are logged: those that failed, those that were slow, and a sample of the others. */
import { RequestError, shortened, type RequestErrorCode } from '../request-error.js';
import type { Log } from './log.js';
import type { Protocol } from './traffic-metrics.js';

/** What is known of a request when it has its answer. */
export interface RequestLine {
  readonly surface: string;
  readonly version: string;
  readonly requestId: string | undefined;
  readonly protocol: Protocol;
  readonly outcome: 'ok' | RequestErrorCode;
  readonly milliseconds: number;
  readonly candidates: number;
  readonly error: unknown;
}

export interface RequestLogOptions {
  /** Requests that took longer are logged. */
  readonly slowMs?: number;
  /** Share of the other requests that is logged, 0 to 1. */
  readonly sample?: number;
  /** Lines a second of one outcome, at most; how many were left out is told by the next. */
  readonly perSecond?: number;
  /** Clock in ms. */
  readonly now?: () => number;
}

/** Lines of one outcome in the second that runs. */
interface Window {
  since: number;
  lines: number;
  leftOut: number;
}

const SECOND_MS = 1000;

/** Characters of a text that a client may have made up, at most. */
const LONGEST = 200;

const short = (text: string | undefined): string | undefined => (text === undefined ? undefined : shortened(text, LONGEST));

/** The field that was wrong, and what was expected there, are logged; its value, which the message may quote, is not. */
const mistakeOf = (error: unknown): { readonly path?: string | undefined; readonly expected?: string | undefined } =>
  error instanceof RequestError ? { path: short(error.path), expected: short(error.expected) } : {};

const defectOf = (error: unknown): unknown => (error instanceof Error ? (error.cause ?? error) : error);

/**
 * Logs requests as they are answered: defects as errors, those turned away or too late as warnings, what clients did wrong as
 * information; slow ones as warnings. An overloaded server must not drown in its own log: lines of an outcome are limited.
 */
export const createRequestLog = (log: Log, { slowMs = 250, sample = 0, perSecond = 10, now = Date.now }: RequestLogOptions = {}): ((line: RequestLine) => void) => {
  const windows = new Map<string, Window>();
  /** @returns how many lines were left out since the last, or undefined if this one is to be left out too */
  const take = (kind: string): number | undefined => {
    const time = now();
    const window = windows.get(kind) ?? { since: time, lines: 0, leftOut: 0 };
    windows.set(kind, window);
    if (time - window.since >= SECOND_MS) Object.assign(window, { since: time, lines: 0 });
    if (window.lines >= perSecond) {
      window.leftOut += 1;
      return undefined;
    }
    const { leftOut } = window;
    Object.assign(window, { lines: window.lines + 1, leftOut: 0 });
    return leftOut;
  };
  const write = (level: 'info' | 'warn' | 'error', kind: string, message: string, fields: Readonly<Record<string, unknown>>): void => {
    const leftOut = take(kind);
    if (leftOut !== undefined) log[level](leftOut === 0 ? fields : { ...fields, leftOut }, message);
  };
  return ({ error, milliseconds, ...line }) => {
    const fields = { ...line, requestId: short(line.requestId), ms: Math.round(milliseconds * 100) / 100 };
    switch (line.outcome) {
      case 'ok':
        if (milliseconds > slowMs) write('warn', 'slow', 'a slow request', fields);
        else if (sample > 0 && Math.random() < sample) log.info(fields, 'a request');
        else log.debug(fields, 'a request');
        return;
      case 'internal':
        write('error', line.outcome, 'a request failed', { ...fields, err: defectOf(error) });
        return;
      case 'overloaded':
      case 'unavailable':
      case 'deadline':
        write('warn', line.outcome, 'a request was not scored', fields);
        return;
      case 'cancelled':
        log.debug(fields, 'a client went away');
        return;
      case 'invalid':
      case 'not_found':
      case 'unauthorized':
      case 'too_large':
        write('info', line.outcome, 'a request was refused', { ...fields, ...mistakeOf(error) });
    }
  };
};
