import { describe, expect, it } from 'vitest';
import { hashText } from './hash.js';

describe('hashText', () => {
  // Published MurmurHash3_x86_32 values for seed 0.
  it.each([
    ['', 0x00000000],
    ['test', 0xba6bd213],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
  ])('is MurmurHash3 on %j', (text, expected) => {
    expect(hashText(text)).toBe(expected);
  });

  it('hashes UTF-8 bytes, whatever the length', () => {
    // From an independent implementation in Python over arbitrary-precision integers.
    expect(['ππππππππ', '日本', 'ž'.repeat(3000)].map(hashText)).toEqual([0xec72b6e8, 0xc4d9f942, 0x5c0aba18]);
    expect(hashText('a'.repeat(5000))).not.toBe(hashText(`${'a'.repeat(4999)}b`));
  });

  it.each([
    ['consecutive integers', (i: number) => String(i)],
    ['a common prefix', (i: number) => `https://example.org/item/${i * 1000}`],
  ])('spreads %s evenly over buckets', (_, text) => {
    const buckets = 1000;
    const draws = 200_000;
    const counts = new Float64Array(buckets);
    for (let i = 0; i < draws; i += 1) counts[hashText(text(i)) % buckets]! += 1;
    const expected = draws / buckets;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 999 degrees of freedom: mean 999, standard deviation 44.7; five of them either way.
    expect(chiSquare).toBeGreaterThan(775);
    expect(chiSquare).toBeLessThan(1223);
  });

  it('hardly collides', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 100_000; i += 1) seen.add(hashText(`user-${i}`));
    // Birthday bound: 100000² / 2³³ ≈ 1.2 expected collisions.
    expect(seen.size).toBeGreaterThan(99_990);
  });
});
