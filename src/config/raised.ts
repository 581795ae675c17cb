/** Errors that a user's config code raises, told as problems of the config with their line. */
import { basename, dirname, relative } from 'node:path';
import { ConfigError, OnefoldError } from './errors.js';

/**
 * `onefold.config.ts:12:5`: where a parse error points, which may be a file that the config imports, else the first
 * frame of the stack that is in the config.
 */
const placeIn = (error: Error, file: string): string => {
  const parse = /^ParseError: [^\n]*\n\s*(\S.*?):(\d+:\d+)/.exec(error.message);
  if (parse !== null) return `${relative(dirname(file), parse[1]!)}:${parse[2]!}`;
  const stack = error.stack ?? '';
  const at = stack.indexOf(`${file}:`);
  const position = at < 0 ? null : /^\d+(:\d+)?/.exec(stack.slice(at + file.length + 1));
  return position === null ? basename(file) : `${basename(file)}:${position[0]}`;
};

/** What to throw for an error raised while `file` was read or called: ours as it is, any other as a config problem. */
export function raised(error: unknown, file: string, what: string): OnefoldError {
  if (error instanceof OnefoldError) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  const message = cause.message.split('\n')[0]!.trim();
  const missing = /Cannot find (?:module|package) '([^']+)'/.exec(message)?.[1];
  const syntax = /^ParseError: /.test(message) || cause instanceof SyntaxError;
  const issue = {
    path: placeIn(cause, file),
    message: syntax ? `syntax error: ${message.replace('ParseError: ', '')}` : `${what}: ${message}`,
    expected: syntax ? 'TypeScript or JavaScript that parses' : 'a module that loads without an error',
    fix:
      missing === undefined
        ? 'correct the line named'
        : `install ${JSON.stringify(missing)} where the config is, or correct the import`,
  };
  return new ConfigError(file, [issue]);
}
