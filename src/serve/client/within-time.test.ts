import { describe, expect, it } from 'vitest';
import { withinTime } from './within-time.js';

/** Work that ends with its signal. */
const untilStopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });

const never = (): Promise<never> => new Promise(() => undefined);

describe('withinTime', () => {
  it('gives what the work gives, or why it failed', async () => {
    expect(await withinTime(1000, () => Promise.resolve(7))).toBe(7);
    await expect(withinTime(1000, () => Promise.reject(new TypeError('no')))).rejects.toThrow('no');
  });

  it('gives the work more time than a timer has', async () => {
    expect(await withinTime(Infinity, () => new Promise((resolve) => setTimeout(resolve, 20, 7)))).toBe(7);
  });

  it.each([['heeds its signal', untilStopped], ['does not', never]])('ends when the time is over, where the work %s', async (_, work) => {
    await expect(withinTime(20, work)).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('ends with the signal that it is given, before or during the work', async () => {
    const controller = new AbortController();
    const working = withinTime(10_000, never, controller.signal);
    controller.abort();
    await expect(working).rejects.toMatchObject({ name: 'AbortError' });
    await expect(withinTime(10_000, never, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
