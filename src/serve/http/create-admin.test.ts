import type { FastifyInstance } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import type { UnknownNames } from '../observe/serve-metrics.js';
import { createAdmin, type AdminActions } from './create-admin.js';

let app: FastifyInstance;
/** What was done, and with what. */
let done: readonly (readonly [action: string, ...args: readonly unknown[]])[];

let unknown: UnknownNames;

const act =
  (action: string) =>
  (...args: readonly unknown[]): Promise<void> => {
    done = [...done, [action, ...args]];
    return Promise.resolve();
  };

const ACTIONS: AdminActions = {
  metrics: () => Promise.resolve({ text: '', contentType: 'text/plain' }),
  surfaces: () => [],
  reload: act('reload'),
  promote: act('promote'),
  rollback: act('rollback'),
  restartWorker: act('restart'),
  updateFeatures: act('features'),
  outcomes: (body) => {
    void act('outcomes')(body);
    return unknown;
  },
};

beforeEach(() => {
  done = [];
  unknown = {};
  app = createAdmin(ACTIONS, {
    tls: undefined,
    authorize: () => true,
    onDefect: (error) => {
      throw error;
    },
  });
  return () => app.close();
});

const send = async (url: string, payload?: string, headers: Readonly<Record<string, string>> = {}): Promise<readonly [number, unknown]> => {
  const answered = await app.inject({ method: 'POST', url, headers, ...(payload === undefined ? {} : { payload }) });
  return [answered.statusCode, answered.json()];
};

describe('bodies of the admin port', () => {
  it.each<Readonly<Record<string, string>>>([{}, { 'content-type': 'application/json' }, { 'content-type': 'application/x-www-form-urlencoded' }])('are JSON whatever type they say they have: %j', async (headers) => {
    for (const [url, body, action, ...args] of [
      ['/promote', { surfaces: { search: 'v2' } }, 'promote', { search: 'v2' }],
      ['/rollback', { surfaces: ['search'] }, 'rollback', ['search']],
      ['/features', [{ user: 'u' }], 'features', [{ user: 'u' }]],
      ['/outcomes', { task: 'click' }, 'outcomes', { task: 'click' }],
      ['/reload', { anything: 1 }, 'reload'],
    ] as const) {
      done = [];
      expect((await send(url, JSON.stringify(body), headers))[0]).toBe(200);
      expect(done).toEqual([[action, ...args]]);
    }
  });

  it('are not taken from web pages', async () => {
    expect(await send('/rollback', undefined, { origin: 'http://elsewhere.example' })).toEqual([401, { error: expect.objectContaining({ code: 'unauthorized', path: 'Origin' }) as unknown }]);
    expect(done).toEqual([]);
  });

  it('may be left out where nothing need be said', async () => {
    for (const url of ['/reload', '/rollback', '/workers/restart']) expect((await send(url))[0]).toBe(200);
    expect((await send('/rollback', '', { 'content-type': 'application/json' }))[0]).toBe(200);
    expect(done).toEqual([['reload'], ['rollback', undefined], ['restart'], ['rollback', undefined]]);
  });

  it.each([
    ['/promote', '"surfaces"'],
    ['/rollback', '"surfaces"'],
    ['/features', '"features"'],
    ['/outcomes', '"viewType"'],
  ])('that are no JSON are refused with what is expected: %s', async (url, expected) => {
    const refusal = { error: { code: 'invalid', message: expect.stringContaining('the body is no JSON') as string, expected: expect.stringContaining(expected) as string } };
    expect(await send(url, '{"user": ')).toEqual([400, refusal]);
    expect(done).toEqual([]);
  });

  it('over the limit are refused with the limit', async () => {
    expect(await send('/features', ' '.repeat(16 * 1024 * 1024 + 1))).toMatchObject([413, { error: { code: 'too_large', expected: 'at most 16777216 bytes' } }]);
  });
});

it('says which names of a report no loaded version has', async () => {
  expect(await send('/outcomes', '{}')).toEqual([200, {}]);
  unknown = { task: ['clik'] };
  expect(await send('/outcomes', '{}')).toEqual([200, { unknown: { task: ['clik'] } }]);
});
