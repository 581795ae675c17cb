import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance, type RequestPayload } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { acceptCompressed } from './compressed-bodies.js';
import { acceptAnyType } from './json-body.js';

const MOST = 100_000;
const BOMB = Buffer.alloc(50_000_000, ' ');

let app: FastifyInstance;
/** What the last body is decompressed by, and how many bytes came out of it. */
let stream: Readable | undefined;
let decompressed = 0;

const watch = (payload: RequestPayload): RequestPayload => {
  stream = payload as Readable;
  decompressed = 0;
  stream.on('data', ({ length }: Buffer) => {
    decompressed += length;
  });
  return payload;
};

beforeEach(() => {
  app = fastify({ bodyLimit: MOST, forceCloseConnections: true });
  acceptAnyType(app);
  acceptCompressed(app, MOST, (routes) => {
    routes.post('/', { preParsing: (_request, _reply, payload, done) => { done(null, watch(payload)); } }, ({ body }) => ({ bytes: (body as Buffer).length }));
  });
});

afterEach(() => app.close());

const CODECS = [['gzip', gzipSync], ['deflate', deflateSync], ['br', brotliCompressSync]] as const;

it.each(CODECS)('a body that becomes too large is decompressed no further than its limit: %s', async (encoding, compress) => {
  const answered = await app.inject({ method: 'POST', url: '/', headers: { 'content-encoding': encoding }, payload: compress(BOMB) });
  expect([answered.statusCode, answered.json<{ code: string }>().code]).toEqual([413, 'FST_ERR_CTP_BODY_TOO_LARGE']);
  if (!stream!.destroyed) await once(stream!, 'close');
  expect(decompressed).toBeLessThan(1_000_000);
});

it('a client that has sent it all gets its answer over a connection too', async () => {
  await app.listen({ port: 0, host: '127.0.0.1' });
  const answered = await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`, { method: 'POST', headers: { 'content-encoding': 'br' }, body: brotliCompressSync(BOMB) });
  expect([answered.status, ((await answered.json()) as { code: string }).code]).toEqual([413, 'FST_ERR_CTP_BODY_TOO_LARGE']);
});

it.each(CODECS)('a body of just its limit is taken: %s', async (encoding, compress) => {
  const answered = await app.inject({ method: 'POST', url: '/', headers: { 'content-encoding': encoding }, payload: compress(Buffer.alloc(MOST, ' ')) });
  expect([answered.statusCode, answered.json()]).toEqual([200, { bytes: MOST }]);
});
