/** What the server says of itself: a JSON object a line, on standard error; standard output is for results. */
import { pino, type Logger } from 'pino';
import { prettyLine } from './pretty-line.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Fields come first, then the message: `log.info({ surface }, 'loaded')`. An error is the field `err`. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'isLevelEnabled'>;

export interface LogOptions {
  readonly level: LogLevel;
  /** Lines for people rather than JSON; left out: on a terminal. */
  readonly pretty?: boolean;
  /** File descriptor to write to; left out: standard error. */
  readonly fd?: number;
}

/** Wherever a caller leaves them, these are never written. */
const SECRET = ['authorization', 'token', 'cookie'].flatMap((name) => [name, `*.${name}`, `*.headers.${name}`, `headers.${name}`]);

const STDERR = 2;

/** Bytes that wait for whoever reads the log; lines beyond them are dropped. */
const MOST_WAITING = 4 * 1024 * 1024;

/** A log. Lines are written when the event loop is free, and what is left when the process exits. */
export const createLog = ({ level, pretty, fd = STDERR }: LogOptions): Log => {
  const isPretty = pretty ?? (fd === STDERR && process.stderr.isTTY);
  // Where standard error is a terminal, writing at once keeps lines in order with the progress of other parts.
  const destination = pino.destination({ dest: fd, sync: isPretty, maxLength: MOST_WAITING });
  // A log that cannot be written (a full disk) is no reason to stop serving; it goes on when there is room.
  destination.on('error', () => undefined);
  const stream = isPretty
    ? {
        write: (line: string) => {
          destination.write(prettyLine(line));
        },
      }
    : destination;
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      redact: { paths: SECRET, censor: '[redacted]' },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    stream,
  );
};
