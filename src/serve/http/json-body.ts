/** Bodies as JSON, whatever content type they come with: `curl -d` says that it sends a form. */
import type { FastifyInstance } from 'fastify';
import { RequestError } from '../request-error.js';

/**
 * Leaves bodies of any content type as bytes, for {@link parseJson} or for what knows their form.
 *
 * @param bodyLimit bytes; left out: the application's
 */
export const acceptAnyType = (app: FastifyInstance, bodyLimit?: number): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', ...(bodyLimit === undefined ? {} : { bodyLimit }) }, (_request, body, done) => {
    done(null, body);
  });
};

/** Whether a request has a body that is not empty. */
export const hasBody = (body: unknown): body is Buffer => body instanceof Buffer && body.length > 0;

/** @throws RequestError `invalid` when the body is no JSON */
export const parseJson = (body: unknown, expected: string): unknown => {
  if (!hasBody(body)) throw new RequestError('invalid', 'the body is empty', { expected });
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch (cause) {
    throw new RequestError('invalid', `the body is no JSON: ${(cause as Error).message}`, { expected, cause });
  }
};
