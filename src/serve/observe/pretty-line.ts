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

const fieldText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** `12:34:56.789 WARN  a slow request  surface=search ms=312`, and the stack of an error below it. */
export const prettyLine = (json: string): string => {
  const { level, time, message = '', err, ...fields } = JSON.parse(json) as LogLine;
  const colour = COLOURS[level] ?? pc.bold;
  const shown = Object.entries(fields).map(([name, value]) => `${pc.dim(`${name}=`)}${fieldText(value)}`);
  const head = [pc.dim(time.slice(11, 23)), colour(level.toUpperCase().padEnd(5)), message, ...shown].join(' ');
  return err === undefined ? `${head}\n` : `${head}\n${err.stack ?? err.message ?? fieldText(err)}\n`;
};
