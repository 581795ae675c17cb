/** Request bodies that are sent compressed. */
import { fastifyCompress } from '@fastify/compress';
import type { FastifyInstance } from 'fastify';
import { RequestError } from '../request-error.js';

/** What Triton's client has, and what proxies use. */
const ENCODINGS = ['gzip', 'deflate', 'br'] as const;

/**
 * Adds routes whose bodies may be compressed, in a scope of their own. The limit of a body holds for what it is decompressed to.
 * Answers are not compressed: scores are small, and clients that accept compression need not want it.
 */
export const acceptCompressed = (app: FastifyInstance, addRoutes: (scope: FastifyInstance) => void): void => {
  void app.register((scope, _, done) => {
    void scope.register(fastifyCompress, {
      globalCompression: false,
      requestEncodings: [...ENCODINGS, 'identity'],
      onUnsupportedRequestEncoding: (encoding) =>
        new RequestError('invalid', `the body's encoding "${encoding}" is not known`, { path: 'Content-Encoding', expected: `${ENCODINGS.join(', ')}, or none` }),
      // Its own properties become those of zlib's error, which is what is thrown.
      onInvalidRequestPayload: (encoding, _request, { message }) => Object.assign(new Error(), { statusCode: 400, message: `the body is no ${encoding}: ${message}` }),
    });
    scope.after(() => {
      addRoutes(scope);
    });
    done();
  });
};
