import { expect, it } from 'vitest';
import { updateSchema } from './apply-update.js';
import { updateProblems } from './update-problems.js';

it.each([
  [{ user: 'u', features: {}, ttl: '7d' }, ['ttl: Invalid input: expected number, received string']],
  [{ item: 'a', features: { price: 1, tags: { x: 1 } } }, ['features.tags: Invalid input']],
  [{ user: 'u', feature: {} }, ['features: Invalid input: expected record, received undefined', 'Unrecognized key: "feature"']],
  [{ event: { sequence: 'h', user: 'u', time: '2026', fields: {} } }, ['event.time: Invalid input: expected number, received string']],
  [{ user: null, features: {} }, ['user: Invalid input']],
  [{ user: 'u', item: 'a', features: {} }, []],
  [{}, []],
  ['u', []],
  [null, []],
])('%j', (update, problems) => {
  expect(updateProblems(update, updateSchema.safeParse(update).error!)).toEqual(problems);
});
