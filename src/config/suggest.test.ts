import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { closest, didYouMean, listNames } from './suggest.js';

describe('closest', () => {
  test.each([
    ['home_fed', 'home_feed'],
    ['homefeed', 'home_feed'],
    ['HomeFeed', 'home_feed'],
    ['serach', 'search'],
    ['sarch', 'search'],
  ])('%s is near %s', (name, near) => {
    expect(closest(name, ['related_pins', 'home_feed', 'search'])).toBe(near);
  });

  test('nothing near', () => {
    expect(closest('checkout', ['home_feed', 'search'])).toBeUndefined();
    expect(closest('a', [])).toBeUndefined();
  });

  test('a name of any length is told from names at once', () => {
    const known = Array.from({ length: 200 }, (_, index) => `feature_${index}`);
    // Millions of characters against each of them took minutes.
    expect(didYouMean('x'.repeat(4_000_000), known)).toContain('use "feature_0"');
    expect(closest('feature_1'.padEnd(100, 'x'), known)).toBeUndefined();
  });

  test('a known name is its own closest', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1 }), fc.nat(), (names, pick) => {
        const name = names[pick % names.length]!;
        expect(closest(name, names)).toBe(name);
      }),
    );
  });
});

test('the fix names the closest, else the choices', () => {
  expect(didYouMean('serach', ['home', 'search'])).toBe('did you mean "search"?');
  expect(didYouMean('checkout', ['home', 'search'])).toBe('use "home" or "search"');
  expect(didYouMean('checkout', [])).toBe('remove it');
});

test('lists', () => {
  expect(listNames([])).toBe('none');
  expect(listNames(['a'])).toBe('"a"');
  expect(listNames(['a', 'b', 'c'])).toBe('"a", "b" or "c"');
  expect(listNames(['a', 'b', 'c'], 2)).toBe('"a", "b" and 1 more');
});
