import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { simulatedPredictions } from '../../../test/fixtures/simulated-predictions.js';
import { IoError } from '../../config/errors.js';
import { contentKey, Memo } from './memo.js';

let directory: string;
let computed: number;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'onefold-memo-')), 'cache');
  computed = 0;
});
afterEach(() => {
  rmSync(join(directory, '..'), { recursive: true });
});

const compute = (value: unknown) => () => {
  computed += 1;
  return value;
};

describe('json', () => {
  it('computes once for the same inputs, in any process', async () => {
    expect(await new Memo(directory, 'v1').json('thing', { a: 1 }, compute({ b: [1, null] }))).toEqual({ b: [1, null] });
    expect(await new Memo(directory, 'v1').json('thing', { a: 1 }, compute('another'))).toEqual({ b: [1, null] });
    expect(computed).toBe(1);
  });

  it.each<[string, (memo: Memo) => Promise<unknown>, string]>([
    ['other inputs', (memo) => memo.json('thing', { a: 2 }, compute('new')), 'v1'],
    ['another kind', (memo) => memo.json('other', { a: 1 }, compute('new')), 'v1'],
    ['other code', (memo) => memo.json('thing', { a: 1 }, compute('new')), 'v2'],
  ])('computes again for %s', async (_, again, code) => {
    await new Memo(directory, 'v1').json('thing', { a: 1 }, compute('old'));
    expect(await again(new Memo(directory, code))).toBe('new');
    expect(computed).toBe(2);
  });

  it('gives the first time what it gives every other: what JSON keeps of a value', async () => {
    const memo = new Memo(directory, 'v1');
    const value = { left: undefined, nan: NaN, at: new Date(0) };
    const kept = { nan: null, at: '1970-01-01T00:00:00.000Z' };
    expect(await memo.json('thing', 1, () => value)).toEqual(kept);
    expect(await memo.json('thing', 1, () => value)).toEqual(kept);
  });

  it('keeps nothing of what failed', async () => {
    const memo = new Memo(directory, 'v1');
    await expect(memo.json('thing', 1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(directory)).toEqual([]);
    expect(await memo.json('thing', 1, compute('yes'))).toBe('yes');
  });

  it('leaves no file half-written', async () => {
    await new Memo(directory, 'v1').json('thing', 1, compute('x'.repeat(100_000)));
    expect(readdirSync(directory)).toEqual([expect.stringMatching(/^thing-[0-9a-f]{24}\.json$/u)]);
  });
});

describe('predictions', () => {
  it('come back as they were, without being made again', async () => {
    const predictions = simulatedPredictions({ requests: 20 });
    const first = await new Memo(directory, 'v1').predictions('test', ['run'], compute(Promise.resolve(predictions)) as never);
    expect(first.tasks).toEqual(predictions.tasks);
    expect(await new Memo(directory, 'v1').predictions('test', ['run'], compute(Promise.resolve(null)) as never)).toEqual(first);
    expect(computed).toBe(1);
  });
});

it('says where it cannot write', () => {
  const file = join(directory, '..', 'file');
  writeFileSync(file, '');
  expect(() => new Memo(join(file, 'cache'), 'v1')).toThrow(IoError);
});

it('tells contents apart, and not the objects that hold them', () => {
  expect(contentKey({ a: [1, 2], b: null })).toBe(contentKey({ a: [1, 2], b: null }));
  expect(contentKey({ a: [1, 2] })).not.toBe(contentKey({ a: [2, 1] }));
  expect(contentKey('1')).not.toBe(contentKey(1));
});
