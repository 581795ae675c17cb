import { LONGEST_TEXT, shortened, type RequestError } from '../request-error.js';

/** A request error in one line: the protocol has a text and nothing else for it. gRPC has it in a header, which is short. */
export const explainError = ({ message, path, expected }: RequestError): string => {
  const text = `${path === undefined ? '' : `${path}: `}${message}${expected === undefined ? '' : `; expected: ${expected}`}`;
  // Half a character, which JSON may have, is replaced: it could not be written as UTF-8.
  return Buffer.from(shortened(text, LONGEST_TEXT)).toString();
};
