/** When requests came. Fastify knows it only where it logs itself. */
import { performance } from 'node:perf_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** A field of the request itself: a map of hundreds of requests a second would be work for the collector. */
const ARRIVED = Symbol('arrived');

type Noted = FastifyRequest & { [ARRIVED]?: number };

/** Notes when requests come, from when their headers are there; to be called before other hooks are added. */
export const noteArrivals = (app: FastifyInstance): void => {
  if (!app.hasRequestDecorator(ARRIVED)) app.decorateRequest(ARRIVED);
  app.addHook('onRequest', (request: Noted, _reply, done) => {
    request[ARRIVED] ??= performance.now();
    done();
  });
};

/** `performance.now()` when a request came; now, where that was not noted. */
export const arrivalOf = (request: FastifyRequest): number => (request as Noted)[ARRIVED] ?? performance.now();
