import { expect, test } from 'vitest';
import { parseMoment } from './moment.js';

test.each([
  ['2025-01-31', '2025-01-31T00:00:00.000Z'],
  ['2025-01-31T18:30', '2025-01-31T18:30:00.000Z'],
  ['2025-01-31 18:30:05', '2025-01-31T18:30:05.000Z'],
  ['2025-01-31T18:30:05.250Z', '2025-01-31T18:30:05.250Z'],
  ['2025-01-31T18:30:05+02:00', '2025-01-31T16:30:05.000Z'],
  ['2025-01-31T18:30:05-0500', '2025-01-31T23:30:05.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
])('%s is %s in any time zone', (moment, iso) => {
  expect(new Date(parseMoment(moment)!).toISOString()).toBe(iso);
});

test('numbers are epoch milliseconds', () => {
  expect(parseMoment(1_700_000_000_000)).toBe(1_700_000_000_000);
});

test.each(['', 'soon', '31.01.2025', '2025-13-01', '2025-02-30', '2025-01-31T25:00', '2025'])('%j is no moment', (moment) => {
  expect(parseMoment(moment)).toBeUndefined();
});

test('numbers that are no moment', () => {
  expect(parseMoment(1.5)).toBeUndefined();
  expect(parseMoment(Number.NaN)).toBeUndefined();
});
