import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { prettyLine } from './pretty-line.js';

const shown = (fields: unknown): string => stripVTControlCharacters(prettyLine(JSON.stringify({ level: 'info', time: '2026-01-01T12:00:00.000Z', ...(fields as object) })));

const FORGED = 'r1\n12:00:00.000 \u001b[31mERROR\u001b]0;owned\u0007';

it('texts that a client made up stay in their line, and do nothing to a terminal', () => {
  expect(shown({ message: 'a request', requestId: FORGED, surface: 'search' })).toBe('12:00:00.000 INFO  a request requestId="r1\\n12:00:00.000 \\u001b[31mERROR\\u001b]0;owned\\u0007" surface=search\n');
  expect(shown({ message: FORGED })).toBe('12:00:00.000 INFO  r1\\n12:00:00.000 \\u001b[31mERROR\\u001b]0;owned\\u0007\n');
  expect(shown({ message: 'm', versions: { 'a\u001b[31m': '\u009b31m' } })).toBe('12:00:00.000 INFO  m versions={"a\\u001b[31m":"\\u{9b}31m"}\n');
});

it('so do those that JSON leaves as they are', () => {
  expect(shown({ message: 'm', a: 'x\u009b31m', b: 'x\u2028y', c: '\u202eyx', d: '\u007f', e: '\u{e0041}' })).toBe('12:00:00.000 INFO  m a="x\\u{9b}31m" b="x\\u{2028}y" c="\\u{202e}yx" d="\\u{7f}" e="\\u{e0041}"\n');
});

it('printable texts of any language are shown as they are', () => {
  expect(shown({ message: 'größer', a: '日本 "x"', b: 3, c: ['é'] })).toBe('12:00:00.000 INFO  größer a=日本 "x" b=3 c=["é"]\n');
});

it('a stack keeps its lines and nothing else', () => {
  expect(shown({ message: 'm', err: { stack: 'Error: \u001b[2Jx\n    at y' } })).toBe('12:00:00.000 INFO  m\nError: \\u001b[2Jx\n    at y\n');
});
