/** Ten thousand bodies that nobody meant, to each endpoint of a real server: it answers all of them, and stays as it was. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Client, credentials } from '@grpc/grpc-js';
import { create, toBinary } from '@bufbuild/protobuf';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inputsOf } from '../src/serve/json/raw-inputs.js';
import { ModelInferRequestSchema } from '../src/serve/oip/open_inference_pb.js';
import { binaryBody, callTensors, tensorBytes } from './support/oip-tensors.js';
import { startServerProcess, until, type RunningServer } from './support/running-server.js';
import { expectScores, metricOf, post, scoreBody } from './support/score-client.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';

const BODIES = 10_000;
const AT_A_TIME = 16;

let shop: ServedShop;
let server: RunningServer;
let golden: readonly GoldenRequest[];

beforeAll(async () => {
  shop = await createServedShop();
  golden = await shop.golden('feed');
  server = await startServerProcess([shop.exports.feed.directory, '--max-body-bytes', '100000', '--max-queue', '10000']);
}, 120_000);

afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await shop.remove();
});

const inputs = (): ReturnType<typeof inputsOf> => inputsOf(shop.exports.feed.encoders, shop.exports.feed.manifest);

/** Pieces that parsers trip over. */
const PIECES = ['null', '-1', '1e999', '{}', '[]', '[[', '"', '\\u0000', '\\ud800', '__proto__', 'constructor', '9007199254740993', 'true', ',,', ':', 'NaN', '{"a":', ' '];

/** Damages bytes: cuts, copies, flips and inserts, a few at a time. */
const mutate = (bytes: Buffer, random: (below: number) => number): Buffer => {
  let damaged = Buffer.from(bytes);
  for (let step = random(4); step >= 0; step -= 1) {
    const at = random(damaged.length + 1);
    const to = Math.min(damaged.length, at + random(40));
    switch (random(5)) {
      case 0:
        damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(to)]);
        break;
      case 1:
        damaged = Buffer.concat([damaged.subarray(0, to), damaged.subarray(at)]);
        break;
      case 2:
        damaged = Buffer.concat([damaged.subarray(0, at), Buffer.from(PIECES[random(PIECES.length)]!), damaged.subarray(random(2) === 0 ? at : to)]);
        break;
      case 3:
        if (at < damaged.length) damaged[at] = random(256);
        break;
      default:
        damaged = damaged.subarray(0, random(20) === 0 ? random(50) : damaged.length);
    }
  }
  return random(50) === 0 ? Buffer.from(Array.from({ length: random(300) }, () => random(256))) : damaged;
};

const residentMb = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024;

/** Sends damaged bodies; whatever `send` gives is counted. */
const fuzz = async (seed: number, valid: readonly Buffer[], send: (body: Buffer, random: (below: number) => number) => Promise<string>): Promise<{ readonly outcomes: Readonly<Record<string, number>>; readonly grownMb: number }> => {
  const generator = xoroshiro128plus(seed);
  const random = (below: number): number => (generator.next() >>> 0) % below;
  const outcomes: Record<string, number> = {};
  let [sent, before] = [0, 0];
  const client = async (): Promise<void> => {
    while (sent < BODIES) {
      sent += 1;
      // What a server needs for its work it has after the first thousands.
      if (sent === BODIES / 2) before = residentMb();
      const outcome = await send(mutate(valid[random(valid.length)]!, random), random);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, client));
  return { outcomes, grownMb: residentMb() - before };
};

const sendHttp = async (path: string, body: Buffer, headers: Readonly<Record<string, string>>): Promise<string> => {
  const response = await fetch(`${server.http}${path}`, { method: 'POST', headers, body: new Uint8Array(body) });
  await response.arrayBuffer();
  return String(response.status);
};

/** Answers of these codes that the server's metrics tell of; `codes` are by the outcome that metrics have for them. */
const counted = async (protocol: string, codes: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, number>> =>
  new Map(await Promise.all(Object.entries(codes).map(async ([outcome, code]): Promise<[string, number]> => [code, await metricOf(server.admin, 'onefold_requests_total', { protocol, outcome })])));

/** Fuzzes, and holds the answers against what metrics tell: they know of every request, whatever it ended with. */
const fuzzCounted = async (protocol: string, codes: Readonly<Record<string, string>>, ...args: Parameters<typeof fuzz>): ReturnType<typeof fuzz> => {
  const before = await counted(protocol, codes);
  const found = await fuzz(...args);
  const after = await counted(protocol, codes);
  for (const [code, count] of after) expect(count - before.get(code)!, `${protocol}: ${code}`).toBe(found.outcomes[code] ?? 0);
  return found;
};

const expectSound = async ({ outcomes, grownMb }: Awaited<ReturnType<typeof fuzz>>, defects: readonly string[]): Promise<void> => {
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(BODIES);
  for (const defect of defects) expect(outcomes[defect] ?? 0, JSON.stringify(outcomes)).toBe(0);
  expect(grownMb).toBeLessThan(100);
  expect(server.log()).not.toContain('"level":"error"');
  expectScores(await post(`${server.http}/v1/score`, scoreBody('feed', golden[0]!, inputs())), golden[0]!);
};

describe('bodies that nobody meant', () => {
  it('are logged, and counted under the surface that they name', async () => {
    await post(`${server.http}/v1/score`, { surface: 'feed', candidates: [{ price: 'x' }] });
    await post(`${server.http}/v2/models/feed/infer`, { inputs: [{ name: 'price', datatype: 'FP32', shape: [1], data: ['x'] }] });
    for (const [protocol, path] of [['json', 'candidates[0].price'], ['oip-rest', 'inputs[0].data[0]']] as const) {
      const fields = ['"surface":"feed"', `"protocol":"${protocol}"`, '"outcome":"invalid"', `"path":"${path}"`];
      await until(`${protocol} is logged`, () => server.log().split('\n').some((line) => fields.every((field) => line.includes(field))));
      expect(await metricOf(server.admin, 'onefold_requests_total', { surface: 'feed', protocol, outcome: 'invalid' })).toBe(1);
    }
  });

  it('are answered by POST /v1/score', async () => {
    const valid = golden.map((request) => Buffer.from(JSON.stringify(scoreBody('feed', request, inputs()))));
    const codes = { ok: '200', invalid: '400', not_found: '404', too_large: '413' };
    const send = (body: Buffer, random: (below: number) => number): Promise<string> => {
      const headers = { 'content-type': 'application/json' };
      // One in twenty is compressed, or says so.
      if (random(20) > 0) return sendHttp('/v1/score', body, headers);
      return sendHttp('/v1/score', random(2) === 0 ? mutate(gzipSync(body), random) : gzipSync(body), { ...headers, 'content-encoding': 'gzip' });
    };
    await expectSound(await fuzzCounted('json', codes, 1, valid, send), ['500', '503']);
  }, 120_000);

  it('are answered by the Open Inference Protocol in JSON', async () => {
    const valid = golden.map((request) => Buffer.from(JSON.stringify({ inputs: callTensors([request], inputs()) })));
    // Not those that were scored: a call may hold several requests.
    const codes = { invalid: '400', not_found: '404', too_large: '413' };
    const send = (body: Buffer): Promise<string> => sendHttp('/v2/models/feed/infer', body, { 'content-type': 'application/json' });
    await expectSound(await fuzzCounted('oip-rest', codes, 2, valid, send), ['500', '503']);
  }, 120_000);

  it('are answered by the Open Inference Protocol in bytes', async () => {
    const made = golden.map((request) => binaryBody(callTensors([request], inputs(), false)));
    const valid = made.map(({ payload }) => payload);
    const { headers } = made[0]!;
    const send = (body: Buffer, random: (below: number) => number): Promise<string> => {
      const length = random(10) === 0 ? String(random(3000)) : headers['inference-header-content-length']!;
      return sendHttp('/v2/models/feed/infer', body, { ...headers, 'inference-header-content-length': length });
    };
    await expectSound(await fuzz(3, valid, send), ['500', '503']);
  }, 120_000);

  it('are answered by gRPC', async () => {
    const client = new Client(server.grpc, credentials.createInsecure());
    const valid = golden.map((request) => {
      const tensors = callTensors([request], inputs(), false);
      const message = create(ModelInferRequestSchema, {
        modelName: 'feed',
        inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(BigInt) })),
        rawInputContents: tensors.map((tensor) => new Uint8Array(tensorBytes(tensor))),
      });
      return Buffer.from(toBinary(ModelInferRequestSchema, message));
    });
    const send = (body: Buffer): Promise<string> =>
      new Promise((resolve) => {
        client.makeUnaryRequest<Buffer, Buffer>('/inference.GRPCInferenceService/ModelInfer', (bytes) => bytes, (bytes) => bytes, body, (error) => {
          resolve(String(error?.code ?? 0));
        });
      });
    try {
      // 13: a defect; 14: it is gone; 2: something nobody knows.
      await expectSound(await fuzzCounted('oip-grpc', { invalid: '3', not_found: '5' }, 4, valid, send), ['13', '14', '2']);
    } finally {
      client.close();
    }
  }, 120_000);
});
