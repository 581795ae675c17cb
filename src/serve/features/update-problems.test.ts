import { expect, it } from 'vitest';
import { updateSchema } from './apply-update.js';
import { updateProblems } from './update-problems.js';

it.each([
  [{ user: 'u', features: {}, ttl: '7d' }, ['ttl: Invalid input: expected number, received string']],
  [{ item: 'a', features: { price: 1, tags: { x: 1 } } }, ['features.tags: Invalid input']],
  [{ user: 'u', feature: {} }, ['features: Invalid input: expected record, received undefined', 'Unrecognized key: "feature"']],
  [{ event: { sequence: 'h', user: 'u', time: '2026', fields: {} } }, ['event.time: Invalid input: expected number, received string']],
  [{ user: null, features: {} }, ['user: Invalid input']],
  [{ user: 1234567890123456789, features: {} }, ['user: a text; numbers beyond ±9007199254740991 lose digits in JSON']],
  [{ item: 'x'.repeat(1001), features: {} }, ['item: at most 1000 bytes of UTF-8']],
  [{ user: 'u', features: {}, ttl: 1e9 }, ['ttl: Too big: expected number to be <=315576000']],
  [{ user: 'u', item: 'a', features: {} }, []],
  [{}, []],
  ['u', []],
  [null, []],
])('%j', (update, problems) => {
  expect(updateProblems(update, updateSchema.safeParse(update).error!)).toEqual(problems);
});
