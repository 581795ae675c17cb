/** The REST side of the Open Inference Protocol: `/v2` and what is below it. */
import { performance } from 'node:perf_hooks';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { arrivalOf, noteArrivals } from '../http/arrivals.js';
import { acceptCompressed } from '../http/compressed-bodies.js';
import { goneSignal } from '../http/gone-signal.js';
import { acceptAnyType, hasBody, parseJson } from '../http/json-body.js';
import { mostBytes, toRequestError } from '../http/send-error.js';
import type { Scorer } from '../raw-request.js';
import { HTTP_STATUS, RequestError } from '../request-error.js';
import { describeModel, EXTENSIONS, indexModels, SERVER_NAME } from './describe-models.js';
import { explainError } from './explain-error.js';
import type { InferLimits } from './infer-call.js';
import { HEADER_LENGTH, readRestInfer, writeRestAnswer } from './rest-infer.js';
import { findSurface, readCall, scoreCall } from './score-call.js';
import type { Unscored } from '../unscored.js';

export interface OipOptions {
  readonly scorer: Scorer;
  readonly limits: InferLimits & { readonly maxBodyBytes: number };
  readonly serverVersion: string;
  readonly unscored: Unscored;
  /** A defect of ours. */
  readonly onDefect?: (error: unknown) => void;
}

interface ModelParams {
  readonly model: string;
  readonly version?: string;
}

/** How paths end that score. */
const INFER = '/infer';

const JSON_TYPE = 'application/json';

const sendOipError = (reply: FastifyReply, error: RequestError): FastifyReply => {
  if (error.retryAfter !== undefined) void reply.header('retry-after', String(error.retryAfter));
  if (error.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  return reply.code(HTTP_STATUS[error.code]).type(JSON_TYPE).send(JSON.stringify({ error: explainError(error) }));
};

const bodyOf = (body: unknown): Buffer => (body instanceof Buffer ? body : Buffer.alloc(0));

const onlyReady = (body: unknown): boolean => hasBody(body) && (parseJson(body, 'nothing, or {"ready": true}') as { readonly ready?: unknown } | null)?.ready === true;

const addHealth = (app: FastifyInstance, { scorer }: OipOptions): void => {
  app.get('/health/live', (_, reply) => reply.type(JSON_TYPE).send('{"live":true}'));
  app.get('/health/ready', (_, reply) =>
    reply
      .code(scorer.isReady ? 200 : 503)
      .type(JSON_TYPE)
      .send(JSON.stringify({ ready: scorer.isReady })),
  );
};

const addModel = (app: FastifyInstance, path: string, { scorer, limits, unscored }: OipOptions): void => {
  app.get<{ Params: ModelParams }>(path, ({ params }) => describeModel(scorer, params.model, params.version));
  app.get<{ Params: ModelParams }>(`${path}/ready`, ({ params }, reply) => {
    findSurface(scorer, params.model, params.version);
    return reply
      .code(scorer.isReady ? 200 : 503)
      .type(JSON_TYPE)
      .send(JSON.stringify({ name: params.model, ready: scorer.isReady }));
  });
  app.post<{ Params: ModelParams }>(`${path}${INFER}`, async (request, reply) => {
    const { params, headers, body } = request;
    const headerLength = headers[HEADER_LENGTH];
    const { call, isBinary } = readRestInfer(bodyOf(body), typeof headerLength === 'string' ? headerLength : undefined, params.model, params.version);
    unscored.named(request, { surface: params.model, version: params.version, requestId: call.id });
    const read = readCall(scorer, call, limits, { signal: goneSignal(reply), trace: headers, arrived: arrivalOf(request) });
    unscored.reached(request);
    const answer = writeRestAnswer(await scoreCall(scorer, read), isBinary);
    if (answer.headerLength === undefined) return reply.type(JSON_TYPE).send(answer.body);
    return reply.header(HEADER_LENGTH, String(answer.headerLength)).type('application/octet-stream').send(answer.body);
  });
};

/**
 * Adds the protocol's paths to an application, in a scope of their own: bodies of any content type stay bytes, as Triton takes
 * them, and errors have the protocol's form.
 */
export const registerOip = (app: FastifyInstance, options: OipOptions): void => {
  const { scorer, limits, serverVersion, unscored, onDefect } = options;
  void app.register(
    (scope, _, done) => {
      noteArrivals(scope);
      acceptAnyType(scope, limits.maxBodyBytes);
      scope.setErrorHandler((error, request, reply) => {
        const known = toRequestError(error, mostBytes(limits));
        if (request.routeOptions.url?.endsWith(INFER) === true) {
          const { model, version } = request.params as ModelParams;
          unscored.failed(request, { protocol: 'oip-rest', error: known, milliseconds: performance.now() - arrivalOf(request), names: { surface: model, version } });
        }
        if (known.code === 'internal') onDefect?.(known.cause ?? error);
        return sendOipError(reply, known);
      });
      scope.setNotFoundHandler((request, reply) =>
        sendOipError(reply, new RequestError('not_found', `there is no ${request.method} ${request.url.split('?')[0]!}`, { expected: 'a path of the Open Inference Protocol' })),
      );
      scope.get('/', () => ({ name: SERVER_NAME, version: serverVersion, extensions: EXTENSIONS }));
      addHealth(scope, options);
      acceptCompressed(scope, limits.maxBodyBytes, (routes) => {
        addModel(routes, '/models/:model', options);
        addModel(routes, '/models/:model/versions/:version', options);
        routes.post('/repository/index', ({ body }) => indexModels(scorer, onlyReady(body)));
      });
      done();
    },
    { prefix: '/v2' },
  );
};
