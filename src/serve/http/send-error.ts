/** Request errors as HTTP answers. */
import type { FastifyReply } from 'fastify';
import { defect, HTTP_STATUS, LONGEST_TEXT, RequestError, shortened } from '../request-error.js';

/** Fastify's own refusals, as far as they are the client's. */
const FRAMEWORK_CODES: Readonly<Record<string, RequestError['code']>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'invalid',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid',
};

/** Any type is taken, if it is one. */
const MEDIA_TYPE = 'a Content-Type such as application/json';

const hasCode = (error: unknown): error is Error & { readonly code: string } => error instanceof Error && typeof (error as { code?: unknown }).code === 'string';

/** The limit of bodies, as it is told of. */
export const mostBytes = ({ maxBodyBytes }: { readonly maxBodyBytes: number }): string => `at most ${maxBodyBytes} bytes: --max-body-bytes of the server`;

/**
 * What a client is told of an error; everything that is not ours is a defect.
 *
 * @param most what is expected of a body that is too large
 */
export const toRequestError = (error: unknown, most: string): RequestError => {
  if (error instanceof RequestError) return error;
  const code = hasCode(error) ? FRAMEWORK_CODES[error.code] : undefined;
  if (code !== undefined) {
    const expected = code === 'too_large' ? most : (error as { readonly code?: unknown }).code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' ? MEDIA_TYPE : undefined;
    return new RequestError(code, (error as Error).message, { cause: error, ...(expected === undefined ? {} : { expected }) });
  }
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) return new RequestError('invalid', (error as Error).message, { cause: error });
  return defect(error);
};

const field = (name: string, text: string | undefined): Readonly<Record<string, string>> => (text === undefined ? {} : { [name]: shortened(text, LONGEST_TEXT) });

/** The JSON form of an error. */
export const errorBody = ({ code, message, path, expected }: RequestError): string => JSON.stringify({ error: { code, ...field('message', message), ...field('path', path), ...field('expected', expected) } });

/** Answers with an error. */
export const sendError = (reply: FastifyReply, error: RequestError): FastifyReply => {
  if (error.retryAfter !== undefined) void reply.header('retry-after', String(error.retryAfter));
  if (error.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  return reply.code(HTTP_STATUS[error.code]).type('application/json; charset=utf-8').send(errorBody(error));
};
