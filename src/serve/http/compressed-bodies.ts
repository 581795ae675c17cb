/** Request bodies that are sent compressed. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { fastifyCompress } from '@fastify/compress';
import type { FastifyInstance } from 'fastify';
import { RequestError } from '../request-error.js';

/** What Triton's client has, and what proxies use. */
const ENCODINGS = ['gzip', 'deflate', 'br'] as const;

/**
 * Stops a stream that decompresses beyond so many bytes. Fastify refuses the body there but lets the stream go on, and a few
 * kilobytes become gigabytes.
 */
const capped = (stream: Transform, maxBytes: number): Transform => {
  let bytes = 0;
  stream.on('data', ({ length }: Buffer) => {
    bytes += length;
    if (bytes <= maxBytes || stream.isPaused()) return;
    stream.pause();
    // The answer is written first: with the stream goes a connection on which the body is not all there.
    setImmediate(() => stream.destroy());
  });
  return stream;
};

/**
 * Adds routes whose bodies may be compressed, in a scope of their own. The limit of a body holds for what it is decompressed to.
 * Answers are not compressed: scores are small, and clients that accept compression need not want it.
 *
 * @param maxBytes of a body
 */
export const acceptCompressed = (app: FastifyInstance, maxBytes: number, addRoutes: (scope: FastifyInstance) => void): void => {
  void app.register((scope, _, done) => {
    void scope.register(fastifyCompress, {
      globalCompression: false,
      zlib: {
        ...zlib,
        createGunzip: () => capped(zlib.createGunzip(), maxBytes),
        createInflate: () => capped(zlib.createInflate(), maxBytes),
        createBrotliDecompress: () => capped(zlib.createBrotliDecompress(), maxBytes),
      },
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
