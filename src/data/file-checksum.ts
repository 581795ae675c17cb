import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { explainIoFailure } from './io-failure.js';

/**
 * SHA-256 of a file's bytes, in hex, read as a stream.
 *
 * @throws IoError when it cannot be read
 */
export const checksumFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (error) {
    throw explainIoFailure(error, path);
  }
  return hash.digest('hex');
};
