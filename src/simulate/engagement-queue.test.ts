import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EngagementQueue } from './engagement-queue.js';
import type { Engagement } from './engagement-queue.js';

const engagement = (timeMs: number, pin: number): Engagement => ({ timeMs, pin, user: 1, topic: 0, action: 0, surface: 0 });

test('hands over everything once, in time order, and only what lies before the moment asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 })), fc.integer({ min: 0, max: 60 }), (times, moment) => {
      const queue = new EngagementQueue();
      times.forEach((time, index) => {
        queue.add(engagement(time, index));
      });
      const before: Engagement[] = [];
      const after: Engagement[] = [];
      queue.drain(moment, (item) => before.push(item));
      queue.drain(Number.POSITIVE_INFINITY, (item) => after.push(item));
      const expected = times.map((time, index) => engagement(time, index)).sort((a, b) => a.timeMs - b.timeMs || a.pin - b.pin);
      expect([...before, ...after]).toEqual(expected);
      expect(before.every((item) => item.timeMs < moment)).toBe(true);
      expect(after.every((item) => item.timeMs >= moment)).toBe(true);
    }),
  );
});
