/** The public HTTP side: scoring, health, and what describes them. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { performance } from 'node:perf_hooks';
import type { Engine } from '../engine/engine.js';
import { openApiDocument } from '../json/openapi.js';
import { namesIn, readScoreRequest } from '../json/read-score-request.js';
import { writeScoreResponse } from '../json/write-score-response.js';
import { registerOip } from '../oip/rest-routes.js';
import type { ScoredRequest, Scorer } from '../raw-request.js';
import type { Readiness } from '../readiness.js';
import { RequestError } from '../request-error.js';
import type { Unscored } from '../unscored.js';
import { arrivalOf, noteArrivals } from './arrivals.js';
import type { Authorize } from './authorize.js';
import { acceptCompressed } from './compressed-bodies.js';
import { goneSignal } from './gone-signal.js';
import { acceptAnyType, parseJson } from './json-body.js';
import type { Tls } from './read-tls.js';
import { securedApp } from './secured.js';
import { mostBytes, sendError, toRequestError } from './send-error.js';

export interface AppOptions {
  readonly engine: Engine;
  /** The engine with what is done around it, for each protocol. */
  readonly scorers: { readonly json: Scorer; readonly oip: Scorer };
  readonly authorize: Authorize;
  readonly limits: { readonly maxCandidates: number; readonly maxQueue: number; readonly maxBodyBytes: number; readonly maxHeaderBytes: number; readonly receiveMs: number };
  readonly tls: Tls | undefined;
  readonly serverVersion: string;
  readonly readiness: Readiness;
  readonly unscored: Unscored;
  /** A defect of ours. */
  readonly onDefect: (error: unknown) => void;
}

const SCORE_PATH = '/v1/score';

const newApp = ({ limits, tls }: AppOptions): FastifyInstance =>
  securedApp(
    {
      logger: false,
      bodyLimit: limits.maxBodyBytes,
      requestTimeout: limits.receiveMs,
      connectionTimeout: 0,
      keepAliveTimeout: 72_000,
      forceCloseConnections: 'idle',
      return503OnClosing: false,
      exposeHeadRoutes: false,
    },
    { maxHeaderSize: limits.maxHeaderBytes, headersTimeout: limits.receiveMs, connectionsCheckingInterval: Math.min(1000, limits.receiveMs) },
    tls,
  );

const addHealth = (app: FastifyInstance, { readiness }: AppOptions): void => {
  app.get('/healthz', (_, reply) => reply.type('text/plain').send('ok\n'));
  app.get('/readyz', (_, reply) => {
    const { isReady } = readiness;
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .send(isReady ? 'ready\n' : 'not ready\n');
  });
};

const addScore = (app: FastifyInstance, { engine, scorers, limits, unscored }: AppOptions): void => {
  app.post(SCORE_PATH, async (request, reply) => {
    const body = parseJson(request.body, 'a JSON object');
    unscored.named(request, namesIn(body));
    const raw = readScoreRequest(body, (surface, version) => engine.find(surface, version)?.served, { ...limits, loaded: () => engine.surfaces() });
    unscored.reached(request);
    const scored: ScoredRequest = await scorers.json.score({
      ...raw,
      signal: goneSignal(reply),
      trace: request.headers,
      arrived: arrivalOf(request),
      deadline: raw.deadline ?? performance.now() + engine.timeoutMs,
    });
    return reply.type('application/json; charset=utf-8').send(writeScoreResponse(scored, raw.requestId));
  });
};

/**
 * An HTTP application that scores. Whatever a client sends, it gets an answer of `request-error.ts`; only defects of ours are 500.
 */
export const createApp = (options: AppOptions): FastifyInstance => {
  const { engine, scorers, authorize, limits, serverVersion, readiness, unscored, onDefect } = options;
  const app = newApp(options);
  noteArrivals(app);
  // Bodies are read by what knows their form.
  acceptAnyType(app);
  app.setErrorHandler((error, request, reply) => {
    const known = toRequestError(error, mostBytes(limits));
    if (request.routeOptions.url === SCORE_PATH) unscored.failed(request, { protocol: 'json', error: known, milliseconds: performance.now() - arrivalOf(request) });
    if (known.code === 'internal') onDefect(known.cause ?? error);
    return sendError(reply, known);
  });
  app.setNotFoundHandler((request, reply) => sendError(reply, new RequestError('not_found', `there is no ${request.method} ${request.url.split('?')[0]!}`, { expected: 'a path of /openapi.json' })));
  app.addHook('onRequest', (request: FastifyRequest, reply, done) => {
    // Connections are not kept by a server that is going down.
    if (readiness.isDraining) void reply.header('connection', 'close');
    const path = request.url;
    const isHealth = path === '/healthz' || path === '/readyz' || path.startsWith('/v2/health/');
    if (!isHealth && !authorize(request.headers.authorization)) {
      done(new RequestError('unauthorized', 'no token, or a wrong one', { expected: 'Authorization: Bearer TOKEN' }));
      return;
    }
    // Before the body is read: refusing must cost little when there is too much to do.
    done(request.method === 'POST' ? engine.refusal : undefined);
  });
  addHealth(app, options);
  app.get('/openapi.json', () => openApiDocument(engine.surfaces(), { version: serverVersion }));
  acceptCompressed(app, limits.maxBodyBytes, (routes) => {
    addScore(routes, options);
  });
  registerOip(app, { scorer: scorers.oip, limits, serverVersion, unscored, onDefect });
  return app;
};
