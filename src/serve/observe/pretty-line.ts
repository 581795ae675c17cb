/** Log lines for people at a terminal. */
import pc from 'picocolors';

const COLOURS: Readonly<Record<string, (text: string) => string>> = { debug: pc.dim, info: pc.green, warn: pc.yellow, error: pc.red };

interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly message?: string;
  readonly err?: { readonly stack?: string; readonly message?: string };
  readonly [field: string]: unknown;
}

/** What a terminal obeys rather than shows, and what moves or hides the text around it. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** All but the ends of lines. */
const UNPRINTABLE_IN_LINE = /[^\P{Cc}\n]|[\p{Cf}\u2028\u2029]/gu;

const escape = (character: string): string => {
  const short = JSON.stringify(character).slice(1, -1);
  return short === character ? `\\u{${character.codePointAt(0)!.toString(16)}}` : short;
};

/** Texts may be a client's: no line of the log is to be made by one. */
const fieldText = (value: unknown): string => {
  if (typeof value === 'string' && value.search(UNPRINTABLE) < 0) return value;
  return JSON.stringify(value).replaceAll(UNPRINTABLE, escape);
};

/** `12:34:56.789 WARN  a slow request  surface=search ms=312`, and the stack of an error below it. */
export const prettyLine = (json: string): string => {
  const { level, time, message = '', err, ...fields } = JSON.parse(json) as LogLine;
  const colour = COLOURS[level] ?? pc.bold;
  const shown = Object.entries(fields).map(([name, value]) => `${pc.dim(`${name}=`)}${fieldText(value)}`);
  const head = [pc.dim(time.slice(11, 23)), colour(level.toUpperCase().padEnd(5)), message.replaceAll(UNPRINTABLE, escape), ...shown].join(' ');
  if (err === undefined) return `${head}\n`;
  const stack = err.stack ?? err.message;
  return `${head}\n${stack === undefined ? fieldText(err) : stack.replaceAll(UNPRINTABLE_IN_LINE, escape)}\n`;
};
