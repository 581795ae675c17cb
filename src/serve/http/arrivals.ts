/** When requests came. Fastify knows it only where it logs itself. */
import { performance } from 'node:perf_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const arrivals = new WeakMap<FastifyRequest, number>();

/** Notes when requests come, from when their headers are there; to be called before other hooks are added. */
export const noteArrivals = (app: FastifyInstance): void => {
  app.addHook('onRequest', (request, _reply, done) => {
    if (!arrivals.has(request)) arrivals.set(request, performance.now());
    done();
  });
};

/** `performance.now()` when a request came; now, where that was not noted. */
export const arrivalOf = (request: FastifyRequest): number => arrivals.get(request) ?? performance.now();
