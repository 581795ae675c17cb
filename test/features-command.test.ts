/** `onefold features` as a process of its own, while another one reads the store. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLmdbStore } from '../src/serve/features/lmdb-store.js';
import { boundUser, skipLoudly } from './support/refusing-disk.js';
import { runCli, type CliRun } from './support/run-cli.js';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-features-command-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const features = (...args: readonly string[]): Promise<CliRun> => runCli(['features', ...args], { cwd: directory });

const put = async (store: string, lines: readonly string[]): Promise<{ readonly exit: number | null; readonly stderr: string }> => {
  const child = spawn(process.execPath, [MAIN, 'features', 'put', store], { cwd: directory, env: { PATH: process.env['PATH'], NO_COLOR: '1' }, stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    stderr += part;
  });
  child.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit, stderr };
};

it('loads, puts, shows and counts', async () => {
  writeFileSync(join(directory, 'users.csv'), 'uid,ctry,member\n7,de,true\n8,fr,false\n');
  writeFileSync(join(directory, 'events.jsonl'), '{"who": 7, "at": "2026-01-01T00:00:00Z", "pin": "p1"}\n');
  expect(await features('load', 'store', '--users', 'users.csv', '--key', 'uid', '--columns', 'country=ctry', 'member=member', '--json')).toMatchObject({ exit: 0, stdout: '{"store":"store","kind":"user","rows":2}\n', stderr: '' });
  expect(await features('load', 'store', '--events', 'history=events.jsonl', '--user', 'who', '--time', 'at')).toMatchObject({ exit: 0 });
  expect((await put('store', ['{"user": 7, "features": {"age": 31}}', '', '{"item": "a1", "features": {"tags": ["x"]}, "ttl": 60}'])).exit).toBe(0);
  const shown = await features('get', 'store', '--user', '7', '--sequence', 'history', '--item', 'a1', '--json');
  expect(JSON.parse(shown.stdout)).toEqual({
    user: { country: 'de', member: true, age: 31 },
    events: { history: { times: [Date.parse('2026-01-01T00:00:00Z')], fields: { pin: ['p1'] } } },
    item: { tags: ['x'] },
  });
  expect(JSON.parse((await features('stats', 'store', '--json')).stdout)).toEqual({ users: 2, items: 1, histories: 1 });
});

it('is read by a user who may not write it, if readers can say so', async (context) => {
  const user = await boundUser(directory);
  if (typeof user === 'string') return skipLoudly(context, user);
  expect((await put('store', ['{"user": "u", "features": {"age": 1}}'])).exit).toBe(0);
  const [data, lock] = [join(directory, 'store/data.mdb'), join(directory, 'store/lock.mdb')];
  for (const [path, mode] of [[directory, 0o755], [join(directory, 'store'), 0o755], [data, 0o444], [lock, 0o666]] as const) chmodSync(path, mode);
  const asUser = (...args: readonly string[]): Promise<CliRun> => runCli(['features', ...args], { cwd: directory, ...user });
  expect(JSON.parse((await asUser('get', 'store', '--user', 'u', '--json')).stdout)).toMatchObject({ user: { age: 1 } });
  writeFileSync(join(directory, 'users.csv'), 'id,age\nu,2\n');
  expect(await asUser('load', 'store', '--users', 'users.csv', '--key', 'id')).toMatchObject({ exit: 9, stderr: expect.stringContaining('this process may only read the store') as string });
  chmodSync(lock, 0o444);
  expect(await asUser('get', 'store', '--user', 'u')).toMatchObject({ exit: 9, stderr: expect.stringMatching(/store: the store cannot be opened[^]*chmod a\+rw store\/lock\.mdb/u) as string });
  for (const path of [data, lock]) chmodSync(path, 0o644);
});

it('names a line that is no update; those before it are written', async () => {
  const { exit, stderr } = await put('store', ['{"user": "u", "features": {"age": 1}}', '{"user": "u", "feature": {}}', '{"user": "v", "features": {}}']);
  expect(exit).toBe(4);
  expect(stderr).toContain('line 2: this is no update of features');
  expect(JSON.parse((await features('get', 'store', '--user', 'u', '--json')).stdout)).toMatchObject({ user: { age: 1 } });
});

it('names the field of an update that does not fit', async () => {
  const { exit, stderr } = await put('store', ['{"user": "u", "features": {}, "ttl": "7d"}']);
  expect([exit, stderr]).toEqual([4, expect.stringMatching(/line 1: .*\(ttl: .*expected number[^]*"ttl" in seconds/u)]);
});

it('has examples for each of its commands', async () => {
  for (const name of ['load', 'put', 'get', 'stats']) expect((await features(name, '--help')).stdout).toContain(`Examples:\n  onefold features ${name} `);
});

it('says what is not there, and makes nothing of it', async () => {
  const nowhere = await features('get', 'nowhere', '--user', 'u');
  expect(nowhere).toMatchObject({ exit: 9, stdout: '' });
  expect(nowhere.stderr).toContain('nowhere holds no feature store');
  expect(existsSync(join(directory, 'nowhere'))).toBe(false);
  for (const args of [['get', 'http://x', '--user', 'u'], ['load', 'http://x', '--users', 'users.csv', '--key', 'uid']]) {
    const other = await features(...args);
    expect([other.exit, other.stderr]).toEqual([2, expect.stringMatching(/http:\/\/x is no feature store[^]*where: STORE[^]*expected: a folder, or redis:/u)]);
  }
  expect(existsSync(join(directory, 'http:'))).toBe(false);
  const silent = await features('stats', 'redis://127.0.0.1:1');
  expect(silent.exit).toBe(9);
  expect(silent.stderr).toContain('redis://127.0.0.1:1');
});

it('is seen by a process that has the store open, with values of new shapes', async () => {
  const store = await openLmdbStore(join(directory, 'store'));
  try {
    const item = async (id: string): Promise<unknown> => (await store.lookup({ userId: undefined, itemIds: [id], sequences: [], before: 0, limit: 0 })).items[0];
    await store.write([{ item: 'own', features: { price: 1 } }]);
    for (const [round, shape] of ['a', 'b', 'c'].entries()) {
      expect((await put('store', [`{"item": "theirs", "features": {"${shape}": ${round}}}`])).exit).toBe(0);
      expect(await item('theirs')).toMatchObject({ [shape]: round });
      await store.write([{ item: 'own', features: { [`own ${shape}`]: round } }]);
    }
    expect(await item('theirs')).toEqual({ a: 0, b: 1, c: 2 });
    expect(await item('own')).toEqual({ price: 1, 'own a': 0, 'own b': 1, 'own c': 2 });
  } finally {
    await store.close();
  }
});
