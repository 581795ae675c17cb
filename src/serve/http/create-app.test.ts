import type { FastifyInstance } from 'fastify';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectScores, scoreBody, type ScoreAnswer } from '../../../test/support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from '../../../test/support/served-shop.js';
import type { RequestLine } from '../observe/request-log.js';
import { ServeMetrics } from '../observe/serve-metrics.js';
import { createTracing, type Tracing } from '../observe/tracing.js';
import { inputsOf } from '../json/raw-inputs.js';
import { Readiness } from '../readiness.js';
import type { RequestError } from '../request-error.js';
import { ScoringService } from '../scoring-service.js';
import { DEFAULT_SERVER_OPTIONS } from '../server-options.js';
import { startEngine, type StartedEngine } from '../start-engine.js';
import { Unscored } from '../unscored.js';
import { createApp } from './create-app.js';

let shop: ServedShop;
let started: StartedEngine;
let tracing: Tracing;
let golden: GoldenRequest;
let body: string;
/** Requests that no scorer had. */
const unscored: RequestLine[] = [];
/** Those that one had. */
const scored: RequestLine[] = [];

beforeAll(async () => {
  shop = await createServedShop();
  started = await startEngine({ ...DEFAULT_SERVER_OPTIONS, exports: [shop.exports.feed.directory] }, {});
  tracing = await createTracing({ endpoint: undefined, sampleRatio: 0, serviceName: 'test', version: '1', onProblem: () => undefined });
  golden = (await shop.golden('feed'))[0]!;
  body = JSON.stringify(scoreBody('feed', golden, inputsOf(shop.exports.feed.encoders, shop.exports.feed.manifest)));
});

afterAll(async () => {
  await started.engine.close(0);
  await started.keeper.close(1000);
  await tracing.close();
  await shop.remove();
});

let metrics: ServeMetrics;

const appWith = (readiness: Readiness, limits: { readonly maxBodyBytes?: number } = {}): FastifyInstance => {
  const { engine } = started;
  metrics = new ServeMetrics();
  metrics.versions(engine.surfaces());
  const service = new ScoringService({ engine, readiness, metrics, tracing, store: undefined, featureLog: undefined, onRequest: (line) => scored.push(line) });
  return createApp({
    engine,
    scorers: { json: service.for('json'), oip: service.for('oip-rest') },
    authorize: () => true,
    limits: { ...DEFAULT_SERVER_OPTIONS, ...limits },
    tls: undefined,
    serverVersion: '1',
    readiness,
    unscored: new Unscored(engine, (request) => unscored.push(request)),
    onDefect: (error) => {
      throw error;
    },
  });
};

describe('an application that drains', () => {
  it('is not ready in any protocol, and scores what comes', async () => {
    const readiness = new Readiness(() => started.engine.isReady);
    const app = appWith(readiness);
    const told = (): Promise<readonly number[]> => Promise.all(['/healthz', '/readyz', '/v2/health/ready', '/v2/models/feed/ready'].map(async (url) => (await app.inject({ url })).statusCode));
    expect(await told()).toEqual([200, 200, 200, 200]);
    readiness.drain();
    expect(await told()).toEqual([200, 503, 503, 503]);
    const answered = await app.inject({ method: 'POST', url: '/v1/score', headers: { 'content-type': 'application/json' }, payload: body });
    expectScores({ status: answered.statusCode, body: answered.json<ScoreAnswer['body']>() }, golden);
    expect(answered.headers.connection).toBe('close');
    await app.close();
  });
});

describe('bodies that are nested without end', () => {
  const deep = (around: (value: string) => string): string => around('['.repeat(1_000_000) + ']'.repeat(1_000_000));

  it.each([
    ['/v1/score', deep((value) => value)],
    ['/v1/score', deep((value) => `{"surface": "feed", "features": {"age": ${value}}, "candidates": [{}]}`)],
    ['/v1/score', deep((value) => `{"surface": "feed", "features": {}, "candidates": ${value}}`)],
    ['/v2/models/feed/infer', deep((value) => value)],
    ['/v2/models/feed/infer', deep((value) => `{"inputs": [{"name": "age", "datatype": "FP64", "shape": [1], "data": ${value}}]}`)],
    ['/v2/models/feed/infer', deep((value) => `{"inputs": [], "parameters": ${value}}`)],
    ['/v2/models/feed/infer', deep((value) => `{"inputs": [{"name": "age", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": ${value}}}]}`)],
    ['/v2/models/feed/infer', deep((value) => `{"inputs": [{"name": "age", "datatype": "FP64", "shape": [1, 1], "data": [${value}, 1]}]}`)],
    ['/v2/models/feed/infer', deep((value) => `{"inputs": ${value}}`)],
  ])('are refused: %s', async (url, payload) => {
    const app = appWith(new Readiness(() => true));
    const answered = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload });
    expect([answered.statusCode, answered.body.length < 1000]).toEqual([400, true]);
    await app.close();
  });
});

describe('bodies of POST /v1/score', () => {
  const asked = async (app: FastifyInstance, payload: Buffer, encoding: string): Promise<ScoreAnswer> => {
    const answered = await app.inject({ method: 'POST', url: '/v1/score', headers: { 'content-type': 'application/json', 'content-encoding': encoding }, payload });
    return { status: answered.statusCode, body: answered.json<ScoreAnswer['body']>() };
  };

  it('may be compressed', async () => {
    const app = appWith(new Readiness(() => true));
    const bytes = Buffer.from(body);
    for (const [encoding, payload] of [['gzip', gzipSync(bytes)], ['deflate', deflateSync(bytes)], ['br', brotliCompressSync(bytes)], ['identity', bytes]] as const) expectScores(await asked(app, payload, encoding), golden);
    await app.close();
  });

  it('are JSON whatever type they say they have', async () => {
    const app = appWith(new Readiness(() => true), { maxBodyBytes: 100_000 });
    const send = async (payload: string, headers: Readonly<Record<string, string>>): Promise<ScoreAnswer> => {
      const answered = await app.inject({ method: 'POST', url: '/v1/score', headers, payload });
      return { status: answered.statusCode, body: answered.json<ScoreAnswer['body']>() };
    };
    expectScores(await send(body, {}), golden);
    for (const type of ['application/x-www-form-urlencoded', 'text/plain; charset=utf-8']) expectScores(await send(body, { 'content-type': type }), golden);
    expect(await send('surface=feed', {})).toMatchObject({ status: 400, body: { error: { code: 'invalid', message: expect.stringContaining('the body is no JSON') as string, expected: 'a JSON object' } } });
    expect(await send('', {})).toMatchObject({ status: 400, body: { error: { message: 'the body is empty', expected: 'a JSON object' } } });
    expect(await send(body, { 'content-type': 'no type' })).toMatchObject({ status: 400, body: { error: { code: 'invalid', expected: 'a Content-Type such as application/json' } } });
    expect(await send(' '.repeat(100_001), {})).toMatchObject({ status: 413, body: { error: { code: 'too_large', expected: 'at most 100000 bytes: --max-body-bytes of the server' } } });
    await app.close();
  });

  it('that are wrongly compressed, or become too large, are refused', async () => {
    const app = appWith(new Readiness(() => true), { maxBodyBytes: 100_000 });
    expect(await asked(app, Buffer.from(body), 'gzip')).toMatchObject({ status: 400, body: { error: { code: 'invalid', message: 'the body is no gzip: incorrect header check' } } });
    expect(await asked(app, Buffer.from(body), 'zip')).toMatchObject({ status: 400, body: { error: { code: 'invalid', path: 'Content-Encoding' } } });
    expect(await asked(app, gzipSync(Buffer.alloc(50_000_000, ' ')), 'gzip')).toMatchObject({ status: 413, body: { error: { code: 'too_large' } } });
    await app.close();
  });
});

describe('a key of any length that no request has', () => {
  it.each(['x', '\u{1F600}'])('is refused with its start: %s', async (character) => {
    const app = appWith(new Readiness(() => true));
    const answered = await app.inject({ method: 'POST', url: '/v1/score', payload: JSON.stringify({ surface: 'feed', [character.repeat(1_000_000 / character.length)]: 1 }) });
    await app.close();
    const { error } = answered.json<{ error: { message: string; path: string; expected: string } }>();
    expect(answered.statusCode).toBe(400);
    expect(error.path).toBe(`${character.repeat(1000 / character.length)}…`);
    expect([Buffer.from(error.message).toString(), error.message.length <= 1001]).toEqual([error.message, true]);
    expect(error.expected).toMatch(/^use "surface"/);
  });
});

it('a request that was scored took its time from its headers on', async () => {
  scored.length = 0;
  const inputs = [{ name: '@item_id', datatype: 'BYTES', shape: [1], data: ['a'] }];
  for (const [url, payload] of [['/v1/score', body], ['/v2/models/feed/infer', JSON.stringify({ inputs })]] as const) {
    const app = appWith(new Readiness(() => true));
    app.addHook('preParsing', async (_request, _reply, stream) => {
      // Longer than scoring takes.
      await new Promise((resolve) => setTimeout(resolve, 500));
      return stream;
    });
    expect((await app.inject({ method: 'POST', url, payload })).statusCode).toBe(200);
    await app.close();
  }
  expect(scored.map(({ protocol, milliseconds }) => [protocol, milliseconds > 490])).toEqual([['json', true], ['oip-rest', true]]);
});

describe('a request that no scorer had', () => {
  const told = async (payload: string, limits: { readonly maxBodyBytes?: number } = {}): Promise<readonly unknown[]> => {
    unscored.length = 0;
    const app = appWith(new Readiness(() => true), limits);
    await app.inject({ method: 'POST', url: '/v1/score', headers: { 'content-type': 'application/json' }, payload });
    await app.close();
    return unscored.map(({ surface, version, requestId, protocol, outcome, error }) => [surface, version, requestId, protocol, outcome, (error as RequestError).path]);
  };

  it('is told of once, under the names that are loaded', async () => {
    const { version } = started.engine.find('feed')!;
    const feed = { surface: 'feed', candidates: [{}] };
    expect(await told(JSON.stringify({ ...feed, requestId: 'r1', candidates: [{ price: 'x' }] }))).toEqual([['feed', version, 'r1', 'json', 'invalid', 'candidates[0].price']]);
    expect(await told(JSON.stringify({ ...feed, version, canidates: [] }))).toEqual([['feed', version, undefined, 'json', 'invalid', 'canidates']]);
    expect(await told(JSON.stringify({ ...feed, version: 'made up' }))).toEqual([['feed', '', undefined, 'json', 'not_found', 'version']]);
    expect(await told(JSON.stringify({ ...feed, surface: 'made up' }))).toEqual([['', '', undefined, 'json', 'not_found', 'surface']]);
    expect(await told(JSON.stringify({ ...feed, surface: ['feed'] }))).toEqual([['', '', undefined, 'json', 'invalid', 'surface']]);
    expect(await told('{"surface": "feed"')).toEqual([['', '', undefined, 'json', 'invalid', undefined]]);
    expect(await told(body, { maxBodyBytes: 10 })).toEqual([['', '', undefined, 'json', 'too_large', undefined]]);
  });

  it('took as long as it took', async () => {
    unscored.length = 0;
    for (const url of ['/v1/score', '/v2/models/feed/infer']) {
      const app = appWith(new Readiness(() => true));
      app.addHook('preParsing', async (_request, _reply, payload) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return payload;
      });
      await app.inject({ method: 'POST', url, payload: '{' });
      await app.close();
    }
    expect(unscored.map(({ protocol, milliseconds }) => [protocol, milliseconds > 45])).toEqual([['json', true], ['oip-rest', true]]);
  });

  it('is no request that the scorer had', async () => {
    expect(await told(JSON.stringify({ surface: 'feed', candidates: [{}], tasks: ['made up'] }))).toEqual([]);
  });
});

describe('what nobody reads', () => {
  const answer = async (url: string, payload: unknown): Promise<Readonly<Record<string, unknown>>> => {
    const app = appWith(new Readiness(() => true));
    const answered = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload: JSON.stringify(payload) });
    await app.close();
    expect(answered.statusCode, answered.body).toBe(200);
    return answered.json<Readonly<Record<string, unknown>>>();
  };

  it('is named: other features, and those of the other side', async () => {
    const { ignored } = await answer('/v1/score', { surface: 'feed', features: { price: 3, age: 30, colour: 'red' }, candidates: [{ query: 'x', price: 1, member: true }, { tags: ['a'] }] });
    expect(ignored).toEqual(['price', 'colour', 'query', 'member']);
    expect(await metrics.text()).toContain('onefold_ignored_columns_total{surface="feed"} 4');
  });

  it('is named once by a call of several requests, and counted for each', async () => {
    const inputs = [{ name: 'row_to_request', datatype: 'INT32', shape: [2], data: [0, 1] }, { name: 'age', datatype: 'FP64', shape: [2], data: [30, 40] }, { name: 'colour', datatype: 'BYTES', shape: [2], data: ['red', 'blue'] }];
    const { parameters } = await answer('/v2/models/feed/infer', { inputs });
    expect(JSON.parse((parameters as Readonly<Record<string, string>>)['ignored']!)).toEqual(['colour']);
    expect(await metrics.text()).toContain('onefold_ignored_columns_total{surface="feed"} 2');
  });

  it('is named: keys of a feature store that there is not', async () => {
    expect((await answer('/v1/score', { surface: 'feed', userId: 'u', itemIds: ['a'], candidates: [{}] }))['ignored']).toEqual(['userId', 'itemIds']);
    expect((await answer('/v1/score', { surface: 'feed', userId: 'u', candidates: [{}] }))['ignored']).toEqual(['userId']);
    const inputs = [{ name: '@user_id', datatype: 'BYTES', shape: [1], data: ['u'] }, { name: '@item_id', datatype: 'BYTES', shape: [2], data: ['a', 'b'] }];
    const { parameters } = await answer('/v2/models/feed/infer', { inputs });
    expect(JSON.parse((parameters as Readonly<Record<string, string>>)['ignored']!)).toEqual(['@user_id', '@item_id']);
    // They are no columns.
    expect(await metrics.text()).not.toContain('onefold_ignored_columns_total{');
  });
});
