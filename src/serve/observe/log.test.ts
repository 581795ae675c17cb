import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError, type RequestErrorCode } from '../request-error.js';
import { createLog, type Log, type LogLevel } from './log.js';
import { createRequestLog, type RequestLine } from './request-log.js';

let folder: string;
let file: string;
let fd: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onefold-log-'));
  file = join(folder, 'log');
  fd = openSync(file, 'a');
});
afterEach(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

type Line = Readonly<Record<string, unknown>>;

const open = (level: LogLevel): Log => createLog({ level, pretty: false, fd });

const LAST = 'the last line';

const lastLines = (): number => readFileSync(file, 'utf8').split(`${LAST}"}\n`).length - 1;

/** What was written, once it is: lines are written when the event loop is free. A file may have last lines of an earlier call. */
const lines = async (log: Log): Promise<readonly Line[]> => {
  const before = lastLines();
  log.error({}, LAST);
  await vi.waitFor(() => {
    expect(lastLines()).toBe(before + 1);
  });
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '' && !line.includes(LAST)).map((line) => JSON.parse(line) as Line);
};

const line = (outcome: RequestLine['outcome'], milliseconds = 1, error: unknown = undefined): RequestLine => ({
  surface: 'search', version: 'v1', requestId: 'r1', protocol: 'json', outcome, milliseconds, candidates: 3, error,
});

test('a JSON object a line: level, time, fields, message, and an error with its causes', async () => {
  const log = open('info');
  log.debug({}, 'not at this level');
  log.info({ surface: 'search' }, 'loaded');
  log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'a defect');
  const [loaded, defect] = await lines(log);
  expect(loaded).toEqual({ level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/u) as string, surface: 'search', message: 'loaded' });
  expect(defect).toMatchObject({ level: 'error', message: 'a defect', err: { message: 'outer', cause: { message: 'inner' } } });
});

test('never writes tokens', async () => {
  const log = open('info');
  log.info({ authorization: 'Bearer s3cret', token: 's3cret', headers: { authorization: 'Bearer s3cret', cookie: 's3cret' }, request: { token: 's3cret', headers: { authorization: 's3cret' } } }, 'x');
  await lines(log);
  expect(readFileSync(file, 'utf8')).not.toContain('s3cret');
});

test('silent is silent', async () => {
  open('silent').error({}, 'x');
  expect(await lines(open('info'))).toEqual([]);
});

test.runIf(existsSync('/dev/full'))('a full disk does not end the process', async () => {
  const full = openSync('/dev/full', 'a');
  createLog({ level: 'info', pretty: false, fd: full }).error({}, 'x');
  // An error that nobody takes would end it here.
  await sleep(50);
  closeSync(full);
});

test('lines for people have the fields, and the stack below', async () => {
  const log = createLog({ level: 'info', pretty: true, fd });
  log.warn({ surface: 'search', ms: 312, err: new Error('broken') }, 'a slow request');
  const text = stripVTControlCharacters(readFileSync(file, 'utf8'));
  expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}a slow request surface=search ms=312\nError: broken\n +at /u);
});

test('requests: only those that failed or were slow', async () => {
  const log = open('info');
  const logRequest = createRequestLog(log);
  logRequest(line('ok', 20));
  logRequest(line('ok', 300));
  logRequest(line('cancelled'));
  logRequest(line('overloaded', 0.123));
  logRequest(line('internal', 5, new RequestError('internal', 'the server failed', { cause: new TypeError('x is undefined') })));
  expect(await lines(log)).toMatchObject([
    { level: 'warn', message: 'a slow request', outcome: 'ok', ms: 300, surface: 'search', version: 'v1', requestId: 'r1', protocol: 'json', candidates: 3 },
    { level: 'warn', outcome: 'overloaded', ms: 0.12 },
    { level: 'error', outcome: 'internal', err: { type: 'TypeError', message: 'x is undefined' } },
  ]);
});

test('what a client sent is named by its path, and not quoted', async () => {
  const log = open('info');
  createRequestLog(log)(line('invalid', 1, new RequestError('invalid', '"s3cret value" is no number', { path: 'candidates[3].price', expected: 'a number' })));
  expect(await lines(log)).toMatchObject([{ level: 'info', outcome: 'invalid', path: 'candidates[3].price', expected: 'a number' }]);
  expect(readFileSync(file, 'utf8')).not.toContain('s3cret');
});

test('names that a client made up are cut off', async () => {
  const log = open('info');
  const long = 'x'.repeat(100_000);
  createRequestLog(log)({ ...line('invalid', 1, new RequestError('invalid', 'no', { path: long, expected: long })), requestId: long });
  const [written] = await lines(log);
  for (const key of ['path', 'expected', 'requestId']) expect(written![key]).toBe(`${'x'.repeat(200)}…`);
});

test('at debug every request; with a sample about that share', async () => {
  const log = open('info');
  const logRequest = createRequestLog(log, { sample: 0.5 });
  for (let index = 0; index < 400; index += 1) logRequest(line('ok'));
  const sampled = (await lines(log)).length;
  expect(sampled).toBeGreaterThan(120);
  expect(sampled).toBeLessThan(280);
  const all = open('debug');
  createRequestLog(all)(line('ok'));
  expect((await lines(all)).length).toBe(sampled + 1);
});

test('a flood of refusals is a few lines a second, which tell how many there were', async () => {
  let now = 0;
  const log = open('info');
  const logRequest = createRequestLog(log, { perSecond: 3, now: () => now });
  for (let index = 0; index < 1000; index += 1) logRequest(line('overloaded'));
  logRequest(line('invalid'));
  now = 1000;
  logRequest(line('overloaded'));
  logRequest(line('overloaded'));
  const written = await lines(log);
  const outcomes = (outcome: RequestErrorCode): readonly Line[] => written.filter((one) => one['outcome'] === outcome);
  expect(outcomes('invalid')).toHaveLength(1);
  expect(outcomes('overloaded').map(({ leftOut }) => leftOut)).toEqual([undefined, undefined, undefined, 997, undefined]);
});
