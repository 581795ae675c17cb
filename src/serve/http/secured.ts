/** HTTP applications, over TLS where there are certificates. */
import type { ServerOptions } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import fastify, { type FastifyHttpsOptions, type FastifyInstance } from 'fastify';
import type { Tls } from './read-tls.js';

/** Plain HTTP without certificates. Both are used alike; only their server differs. */
export const securedApp = (options: Omit<FastifyHttpsOptions<HttpsServer>, 'https'>, http: ServerOptions, tls: Tls | undefined): FastifyInstance => {
  if (tls === undefined) return fastify({ ...options, http });
  const { cert, key, clientCa } = tls;
  const https = { ...http, cert, key, ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }) };
  return fastify({ ...options, https }) as unknown as FastifyInstance;
};
