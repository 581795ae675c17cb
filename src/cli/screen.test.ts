import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';
import { expect, test } from 'vitest';
import { cutLine, frameText } from './screen.js';

const { red, bold } = pc.createColors(true);

test('a line is cut by what is seen of it', () => {
  const line = `${bold('search')} ${red('12345')} end`;
  expect(cutLine(line, 16)).toBe(line);
  expect(stripVTControlCharacters(cutLine(line, 9))).toBe('search 12');
  expect(stripVTControlCharacters(cutLine(line, 0))).toBe('');
});

test('a frame never scrolls: no more lines than the terminal has, and no newline after the last', () => {
  const text = frameText(['one', 'two', 'three'], 4, 2);
  expect(stripVTControlCharacters(text)).toBe('one\r\ntwo');
  expect(frameText(['three'], 2, 5)).toContain('th');
  expect(stripVTControlCharacters(frameText(['three'], 2, 5))).toBe('th');
});
