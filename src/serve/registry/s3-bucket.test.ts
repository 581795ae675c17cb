/** What a bucket does that no copy of S3 does when asked: it stalls, or breaks off. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { IoError } from '../../config/errors.js';
import { S3Bucket } from './s3-bucket.js';

let server: Server | undefined;
let folder: string;

beforeAll(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key').stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  folder = mkdtempSync(join(tmpdir(), 'onefold-bucket-'));
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const bucketThat = async (answers: RequestListener): Promise<S3Bucket> => {
  server = createServer(answers).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new S3Bucket('s3://models/ads', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
};

const failureOf = async (work: Promise<unknown>): Promise<unknown> => work.then(() => 'no failure', (error: unknown) => error);

describe('a pointer in a bucket', () => {
  it('that stalls is not waited for, whether nothing comes or half of it', { timeout: 40_000 }, async () => {
    const bucket = await bucketThat((request, response) => {
      if (request.url!.includes('half')) response.writeHead(200, { etag: '"1"', 'content-length': 100 }).write('half');
    });
    const started = performance.now();
    const failures = await Promise.all(['nothing', 'half'].map((name) => failureOf(bucket.get(name))));
    expect(failures).toEqual(['nothing', 'half'].map((name) => expect.objectContaining({ message: expect.stringContaining(`s3://models/ads/${name}: no answer within 15 s`) as string }) as unknown));
    for (const failure of failures) expect(failure).toBeInstanceOf(IoError);
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

describe('a file in a bucket', () => {
  const whole = Buffer.alloc(200_000, 'x');
  /** Breaks off in the middle so many times. */
  const breakingOff = (times: number): { readonly answers: RequestListener; asked(): number } => {
    let asked = 0;
    return {
      answers: (_, response) => {
        asked += 1;
        response.writeHead(200, { etag: '"1"', 'content-length': whole.length });
        if (asked > times) response.end(whole);
        else response.write(whole.subarray(0, 100_000), () => response.destroy());
      },
      asked: () => asked,
    };
  };

  it('that breaks off is begun again', async () => {
    const { answers, asked } = breakingOff(2);
    const path = join(folder, 'begun-again');
    await (await bucketThat(answers)).download('tables.bin', path);
    expect([asked(), readFileSync(path).equals(whole)]).toEqual([3, true]);
  });

  it('that always breaks off is an error that names it', async () => {
    const { answers, asked } = breakingOff(Infinity);
    const failure = await failureOf((await bucketThat(answers)).download('tables.bin', join(folder, 'never')));
    expect(failure).toBeInstanceOf(IoError);
    expect([asked(), (failure as Error).message]).toEqual([3, expect.stringContaining('s3://models/ads/tables.bin: ')]);
  });
});
