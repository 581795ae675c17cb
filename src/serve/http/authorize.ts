/** API tokens: a file with one a line; what clients send is compared without telling by its time how far it was right. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { UsageError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';

/** Whether an `Authorization` header may pass. */
export type Authorize = (header: string | undefined) => boolean;

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();

/**
 * The tokens of a file, which has one at least.
 *
 * @throws IoError when it cannot be read; UsageError when it holds no token
 */
export const readTokens = (file: string): readonly [string, ...string[]] => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw explainIoFailure(error, file);
  }
  const [first, ...others] = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first === undefined) throw new UsageError(`${file} holds no token`, { where: '--token-file', expected: 'a token a line', fix: 'write a token into it' });
  return [first, ...others];
};

/**
 * @param file undefined: everyone may pass
 * @throws IoError when it cannot be read; UsageError when it holds no token
 */
export const authorizer = (file: string | undefined): Authorize => {
  if (file === undefined) return () => true;
  const tokens = readTokens(file).map(digest);
  return (header) => {
    if (header?.startsWith('Bearer ') !== true) return false;
    const given = digest(header.slice('Bearer '.length).trim());
    return tokens.filter((token) => timingSafeEqual(token, given)).length > 0;
  };
};
