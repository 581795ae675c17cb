import { describe, expect, it } from 'vitest';
import { UserCache } from './user-cache.js';

const values = (...numbers: readonly number[]): readonly Float32Array[] => [Float32Array.from(numbers)];
const keyOf = (user: number): string => UserCache.key('feed/1', Int32Array.of(0, user));

describe('UserCache', () => {
  it('tells users, features and versions apart', () => {
    const cache = new UserCache(10_000);
    cache.set(keyOf(1), values(1));
    expect(cache.get(keyOf(1))).toEqual(values(1));
    expect(cache.get(keyOf(2))).toBeUndefined();
    expect(cache.get(UserCache.key('feed/2', Int32Array.of(0, 1)))).toBeUndefined();
    // Words whose bytes are no text.
    expect(UserCache.key('v', Int32Array.of(-1))).not.toBe(UserCache.key('v', Int32Array.of(-2)));
  });

  it('keeps within its bytes, dropping what was used longest ago', () => {
    const cache = new UserCache(2500);
    for (let user = 0; user < 4; user += 1) cache.set(keyOf(user), values(user));
    expect(cache.get(keyOf(0))).toEqual(values(0));
    for (let user = 4; user < 8; user += 1) {
      cache.set(keyOf(user), values(user));
      expect(cache.bytes).toBeLessThanOrEqual(2500);
    }
    expect(cache.get(keyOf(0))).toEqual(values(0));
    expect(cache.get(keyOf(1))).toBeUndefined();
  });

  it('counts an entry that is replaced once', () => {
    const cache = new UserCache(10_000);
    cache.set(keyOf(1), values(1));
    const { bytes } = cache;
    cache.set(keyOf(1), values(2));
    expect([cache.bytes, cache.get(keyOf(1))]).toEqual([bytes, values(2)]);
  });

  it('does not keep what is larger than all of it', () => {
    const cache = new UserCache(300);
    cache.set(keyOf(1), [new Float32Array(1000)]);
    expect([cache.bytes, cache.get(keyOf(1))]).toEqual([0, undefined]);
  });
});
