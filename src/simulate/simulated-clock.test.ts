import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, LOG_START_MS, SimulatedClock } from './simulated-clock.js';

test('moments rise with the fraction, stay within the days, and follow the hours', () => {
  const days = 14;
  const clock = new SimulatedClock(LOG_START_MS, days);
  const count = 20_000;
  const hours = new Array<number>(24).fill(0);
  const weekdays = new Array<number>(7).fill(0);
  let falls = 0;
  let last = LOG_START_MS - 1;
  for (let i = 0; i < count; i++) {
    const moment = clock.momentAt((i + 0.5) / count);
    falls += moment < last ? 1 : 0;
    last = moment;
    hours[Math.floor(moment / HOUR_MS) % 24]!++;
    weekdays[Math.floor((moment - LOG_START_MS) / DAY_MS) % 7]!++;
  }
  expect(falls).toBe(0);
  expect(last).toBeLessThan(LOG_START_MS + days * DAY_MS);
  expect(hours[20]! / hours[3]!).toBeGreaterThan(7);
  // 2026-01-05 is a Monday: the last two are the weekend.
  expect(weekdays[5]! / weekdays[0]!).toBeCloseTo(1.25, 1);
});

test('the last moment of all is within the last hour', () => {
  const clock = new SimulatedClock(LOG_START_MS - 2 * DAY_MS, 2);
  expect(clock.momentAt(1 - 2 ** -33)).toBe(LOG_START_MS - 1);
});
