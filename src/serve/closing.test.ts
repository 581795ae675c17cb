import { expect, it } from 'vitest';
import { Closing } from './closing.js';

it('ends the last opened first, whatever fails or never ends', async () => {
  const closing = new Closing();
  const ended: string[] = [];
  const errors: string[] = [];
  closing.add('the first', () => Promise.resolve(void ended.push('first')));
  closing.add('one that never ends', () => new Promise(() => undefined));
  closing.add('one that fails', () => Promise.reject(new Error('no')));
  closing.add('the last', () => Promise.resolve(void ended.push('last')));
  const started = performance.now();
  await closing.close(() => 100, (error) => errors.push((error as Error).message));
  expect(ended).toEqual(['last', 'first']);
  expect(errors).toEqual(['no', 'one that never ends did not end in time']);
  expect(performance.now() - started).toBeGreaterThan(2000);
});

it('gives no less time for more than a timer can be set to', async () => {
  const closing = new Closing();
  const errors: string[] = [];
  closing.add('one that takes a moment', () => new Promise((resolve) => setTimeout(resolve, 50)));
  await closing.close(() => 3e9, (error) => errors.push((error as Error).message));
  expect(errors).toEqual([]);
});
