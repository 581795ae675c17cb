/** The admin side: metrics, what is loaded, going back, and writes to the feature store. Closed unless asked for. */
import type { FastifyInstance } from 'fastify';
import { OnefoldError } from '../../config/errors.js';
import type { UnknownNames } from '../observe/serve-metrics.js';
import { OUTCOMES_EXPECTED } from '../read-outcomes.js';
import { RequestError } from '../request-error.js';
import type { ServedSurface } from '../raw-request.js';
import type { Authorize } from './authorize.js';
import { acceptAnyType, hasBody, parseJson } from './json-body.js';
import type { Tls } from './read-tls.js';
import { securedApp } from './secured.js';
import { sendError, toRequestError } from './send-error.js';

/** What the admin side can do to a server. */
export interface AdminActions {
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>;
  surfaces(): readonly ServedSurface[];
  /** Looks at the registry now. */
  reload(): Promise<void>;
  promote(versions: Readonly<Record<string, string>>): Promise<void>;
  rollback(surfaces: readonly string[] | undefined): Promise<void>;
  /** Ends one scoring thread; another takes its place. */
  restartWorker(): Promise<void>;
  /** Writes to the feature store. */
  updateFeatures(update: unknown): Promise<void>;
  /** Labels that came in for served predictions, for the calibration ratio; gives back the names that no loaded version has. */
  outcomes(body: unknown): UnknownNames;
}

export interface AdminOptions {
  readonly authorize: Authorize;
  readonly tls: Tls | undefined;
  readonly onDefect: (error: unknown) => void;
}

/** Bytes of a body, at most. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Nothing is an object without anything. */
const objectOf = (body: unknown, expected: string): Readonly<Record<string, unknown>> => {
  const value = hasBody(body) ? parseJson(body, expected) : null;
  if (value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  throw new RequestError('invalid', 'the body is no JSON object', { expected });
};

const SURFACES = 'e.g. {"surfaces": ["search"]}, or nothing';
const VERSIONS = 'e.g. {"surfaces": {"search": "20250101-120000-1a2b3c4d"}}';
const UPDATE = 'an update of features, e.g. {"user": "u7", "features": {"country": "de"}}, or a list of them';

const textsOf = (value: unknown, path: string): readonly string[] | undefined => {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw new RequestError('invalid', `${path} is no list of texts`, { path, expected: 'e.g. ["search"]' });
};

const versionsOf = (value: unknown): Readonly<Record<string, string>> => {
  if (typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string')) return value as Readonly<Record<string, string>>;
  throw new RequestError('invalid', 'surfaces is no object of versions', { path: 'surfaces', expected: 'e.g. {"search": "20250101-120000-1a2b3c4d"}' });
};

/** What a registry refuses is no defect of the server. */
const refusalOf = (error: OnefoldError): RequestError =>
  new RequestError(error.code === 'usage' ? 'invalid' : 'unavailable', error.message, { cause: error, ...(error.expected === undefined ? {} : { expected: error.expected }) });

/** An HTTP application for whoever runs the server. */
export const createAdmin = (actions: AdminActions, { authorize, tls, onDefect }: AdminOptions): FastifyInstance => {
  const app = securedApp({ logger: false, bodyLimit: MOST_BYTES, forceCloseConnections: true }, {}, tls);
  acceptAnyType(app);
  app.setErrorHandler((error, _request, reply) => {
    const known = toRequestError(error instanceof OnefoldError ? refusalOf(error) : error, `at most ${MOST_BYTES} bytes`);
    if (known.code === 'internal') onDefect(known.cause ?? error);
    return sendError(reply, known);
  });
  app.setNotFoundHandler((request, reply) => sendError(reply, new RequestError('not_found', `there is no ${request.method} ${request.url.split('?')[0]!}`)));
  app.addHook('onRequest', (request, reply, done) => {
    // A page in an operator's browser can post to this machine too, with any body; browsers say where it is from.
    if (request.method === 'POST' && request.headers.origin !== undefined) void sendError(reply, new RequestError('unauthorized', 'the admin port takes nothing from web pages', { path: 'Origin', expected: 'no Origin' }));
    else if (authorize(request.headers.authorization)) done();
    else void sendError(reply, new RequestError('unauthorized', 'no token, or a wrong one', { expected: 'Authorization: Bearer TOKEN' }));
  });
  app.get('/metrics', async (_, reply) => {
    const { text, contentType } = await actions.metrics();
    return reply.type(contentType).send(text);
  });
  app.get('/versions', () => ({ versions: actions.surfaces().map(({ surface, version, digest, isCurrent }) => ({ surface, version, digest, isCurrent })) }));
  const changed = (): { readonly current: Readonly<Record<string, string>> } => ({
    current: Object.fromEntries(actions.surfaces().flatMap(({ surface, version, isCurrent }) => (isCurrent ? [[surface, version]] : []))),
  });
  app.post('/reload', async () => {
    await actions.reload();
    return changed();
  });
  app.post('/promote', async ({ body }) => {
    await actions.promote(versionsOf(objectOf(body, VERSIONS)['surfaces']));
    return changed();
  });
  app.post('/rollback', async ({ body }) => {
    await actions.rollback(textsOf(objectOf(body, SURFACES)['surfaces'], 'surfaces'));
    return changed();
  });
  app.post('/workers/restart', async () => {
    await actions.restartWorker();
    return {};
  });
  app.post('/features', async ({ body }) => {
    await actions.updateFeatures(parseJson(body, UPDATE));
    return {};
  });
  app.post('/outcomes', ({ body }) => {
    const unknown = actions.outcomes(parseJson(body, OUTCOMES_EXPECTED));
    return Object.keys(unknown).length === 0 ? {} : { unknown };
  });
  return app;
};
