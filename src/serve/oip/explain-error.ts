import type { RequestError } from '../request-error.js';

/** Characters at most: gRPC has it in a header, and it may hold what the client sent. */
const LONGEST = 1000;

/** A request error in one line: the protocol has a text and nothing else for it. */
export const explainError = ({ message, path, expected }: RequestError): string => {
  const text = `${path === undefined ? '' : `${path}: `}${message}${expected === undefined ? '' : `; expected: ${expected}`}`;
  // A character that was cut in two is replaced: it could not be written as UTF-8.
  return Buffer.from(text.slice(0, LONGEST)).toString() + (text.length > LONGEST ? '…' : '');
};
