/** The Prometheus text format (version 0.0.4), read. */
import { DataError } from '../../config/errors.js';

/** One line: a series and its value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/uy;
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,?)/uy;
/** A value, and perhaps a time. */
const REST = /^\s+(\S+)(?:\s+-?\d+)?\s*$/u;

const ESCAPES: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\"': '"' };

const unescape = (text: string): string => text.replaceAll(/\\[\\n"]/gu, (escaped) => ESCAPES[escaped]!);

/** As Go reads floats: `+Inf`, `-Inf` and `NaN` in any case. */
const numberOf = (text: string): number | undefined => {
  const word = /^([+-]?)(inf|nan)$/iu.exec(text);
  if (word !== null) return word[2]!.toLowerCase() === 'nan' ? NaN : word[1] === '-' ? -Infinity : Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
};

const matchAt = (pattern: RegExp, line: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(line);
};

/** @returns undefined where the line is none of the format */
const readLine = (line: string): Sample | undefined => {
  const name = matchAt(NAME, line, 0)?.[0];
  if (name === undefined) return undefined;
  let at = name.length;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    at += 1;
    for (let isMore = true; isMore; ) {
      const label = matchAt(LABEL, line, at);
      if (label === null) break;
      labels[label[1]!] = unescape(label[2]!);
      at += label[0].length;
      isMore = label[3] === ',';
    }
    const close = line.slice(at).search(/\S/u);
    if (close < 0 || line[at + close] !== '}') return undefined;
    at += close + 1;
  }
  const value = numberOf(REST.exec(line.slice(at))?.[1] ?? '?');
  return value === undefined ? undefined : { name, labels, value };
};

/**
 * All samples of a text, in its order.
 *
 * @param where it comes from, for errors
 * @throws DataError that names the line which is none of the format
 */
export const parseMetrics = (text: string, where: string): readonly Sample[] =>
  text.split('\n').flatMap((line, index): readonly Sample[] => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const sample = readLine(line);
    if (sample !== undefined) return [sample];
    throw new DataError(`line ${index + 1} is no metric: ${line.slice(0, 80)}`, {
      where: `${where}:${index + 1}`,
      expected: 'the Prometheus text format',
      fix: 'give the URL of a metrics endpoint, e.g. http://127.0.0.1:9090/metrics',
    });
  });
