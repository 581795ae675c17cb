/** The Open Inference Protocol over REST, against real exports. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance } from 'fastify';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registerOip } from '../src/serve/oip/rest-routes.js';
import type { ServedSurface } from '../src/serve/raw-request.js';
import { RequestError } from '../src/serve/request-error.js';
import { Unscored } from '../src/serve/unscored.js';
import { ExportScorer } from './support/export-scorer.js';
import { binaryBody, callTensors, type GivenTensor } from './support/oip-tensors.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';

const SURFACES = ['feed', 'search'] as const;

let shop: ServedShop;
let scorer: ExportScorer;
let app: FastifyInstance;
let golden: Readonly<Record<(typeof SURFACES)[number], readonly GoldenRequest[]>>;
const defects: unknown[] = [];
/** Calls that no scorer had: protocol, code, and what they are counted under. */
const unscored: (readonly [protocol: string, outcome: string, surface: string, version: string])[] = [];

beforeAll(async () => {
  shop = await createServedShop();
  golden = { feed: await shop.golden('feed'), search: await shop.golden('search') };
});

afterAll(() => shop.remove());

beforeEach(() => {
  scorer = new ExportScorer(Object.values(shop.exports));
  app = fastify({ forceCloseConnections: true });
  registerOip(app, { scorer, limits: { maxCandidates: 1000, maxBodyBytes: 100_000 }, serverVersion: '1.2.3', unscored: new Unscored(scorer, ({ protocol, outcome, surface, version }) => unscored.push([protocol, outcome, surface, version])), onDefect: (error) => defects.push(error) });
  unscored.length = 0;
  return async () => {
    await app.close();
    expect(defects.splice(0)).toEqual([]);
  };
});

const surfaceOf = (name: string): ServedSurface => scorer.surfaces().find(({ surface }) => surface === name)!;

interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly number[];
  readonly parameters?: { readonly binary_data_size?: number };
}
interface Answer {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly outputs: readonly Output[];
}

const infer = (surface: string, payload: string | Buffer, headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' }, path = `/v2/models/${surface}/infer`) =>
  app.inject({ method: 'POST', url: path, headers, payload });

const inferJson = async (surface: string, message: unknown): Promise<Answer> => {
  const answered = await infer(surface, JSON.stringify(message));
  expect(answered.statusCode, answered.body).toBe(200);
  return answered.json<Answer>();
};

const errorOf = async (surface: string, message: unknown): Promise<readonly [number, string]> => {
  const answered = await infer(surface, JSON.stringify(message));
  return [answered.statusCode, answered.json<{ error: string }>().error];
};

const nested = ({ data, shape }: GivenTensor): unknown =>
  shape.length < 2 ? data : Array.from({ length: shape[0]! }, (_, row) => data.slice(row * shape[1]!, (row + 1) * shape[1]!));

/** Largest difference of an answer's outputs from what is stored with golden requests. */
const differences = (answer: Answer, requests: readonly GoldenRequest[]): readonly number[] =>
  answer.outputs.map(({ name, data, shape, datatype }) => {
    const expected = requests.flatMap(({ scores }) => scores[name]!);
    expect([shape, datatype]).toEqual([[expected.length], 'FP32']);
    return Math.max(...expected.map((value, row) => Math.abs(value - data![row]!)));
  });

const expectEqual = (answer: Answer, requests: readonly GoldenRequest[]): void => {
  for (const difference of differences(answer, requests)) expect(difference).toBeLessThan(1e-5);
};

describe.each(SURFACES)('golden rows of %s get the scores stored with them', (surface) => {
  it('as JSON, flat and nested', async () => {
    for (const request of golden[surface]) {
      const inputs = callTensors([request], surfaceOf(surface).inputs);
      const answer = await inferJson(surface, { id: request.requestId, inputs });
      expect(answer).toMatchObject({ model_name: surface, model_version: '1', id: request.requestId, parameters: { version: '1', defaulted: '[]' } });
      expect(answer.outputs.map(({ name }) => name)).toEqual(surfaceOf(surface).tasks);
      expectEqual(answer, [request]);
      expect(await inferJson(surface, { id: request.requestId, inputs: inputs.map((input) => ({ ...input, data: nested(input) })) })).toEqual(answer);
    }
  });

  it('as bytes, in JSON and in bytes', async () => {
    for (const request of golden[surface]) {
      const tensors = callTensors([request], surfaceOf(surface).inputs);
      const { payload, headers } = binaryBody(tensors);
      const answered = await infer(surface, payload, headers);
      expect(answered.headers['content-type']).toMatch(/^application\/json/);
      expectEqual(answered.json<Answer>(), [request]);
      const asked = binaryBody(tensors, { parameters: { binary_data_output: true }, outputs: [{ name: 'click' }] });
      const binary = await infer(surface, asked.payload, asked.headers);
      const length = Number(binary.headers['inference-header-content-length']);
      const answer = JSON.parse(binary.rawPayload.subarray(0, length).toString()) as Answer;
      expect(answer.outputs).toEqual([{ name: 'click', datatype: 'FP32', shape: [request.to - request.from], parameters: { binary_data_size: binary.rawPayload.length - length } }]);
      const scores = new Float32Array(Uint8Array.from(binary.rawPayload.subarray(length)).buffer);
      expect(scores).toEqual(Float32Array.from(answered.json<Answer>().outputs[0]!.data!));
    }
  });

  it('as several requests in one call', async () => {
    const requests = golden[surface];
    const { payload, headers } = binaryBody(callTensors(requests, surfaceOf(surface).inputs), { id: 'all' });
    expectEqual((await infer(surface, payload, headers)).json<Answer>(), requests);
    expect(scorer.seen.map(({ requestId }) => requestId)).toEqual(requests.map((_, index) => `all/${index}`));
    expect(scorer.seen.map(({ candidateCount }) => candidateCount)).toEqual(requests.map(({ from, to }) => to - from));
  });
});

describe('an infer call', () => {
  const candidates = (count: number): GivenTensor => ({ name: 'item', datatype: 'BYTES', shape: [count], data: Array.from({ length: count }, (_, row) => String(row)) });

  it('passes on what it says of the request', async () => {
    const { requestId, viewType, time } = golden.feed[0]!;
    const before = performance.now();
    const inputs = [
      candidates(2),
      { name: '@user_id', datatype: 'INT64', shape: [1], data: [7] },
      { name: '@item_id', datatype: 'BYTES', shape: [2], data: ['a', null] },
      { name: '@request_id', datatype: 'BYTES', shape: [1], data: [requestId] },
      { name: '@view_type', datatype: 'BYTES', shape: [1, 1], data: [[viewType]] },
      { name: '@time', datatype: 'INT64', shape: [], data: [time] },
    ];
    const headers = { 'content-type': 'application/json', traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    const answered = await infer('feed', JSON.stringify({ inputs, outputs: [{ name: 'save' }], parameters: { timeout: 5_000_000 } }), headers, '/v2/models/feed/versions/1/infer');
    expect(answered.json<Answer>().outputs.map(({ name, shape }) => [name, shape])).toEqual([['save', [2]]]);
    const [{ deadline, signal, ...request }] = scorer.seen as [(typeof scorer.seen)[0]];
    expect(request).toMatchObject({ surface: 'feed', version: '1', viewType, requestId, userId: '7', itemIds: ['a', null], time, candidateCount: 2, tasks: ['save'] });
    expect(deadline! - before).toBeGreaterThan(4900);
    expect(deadline! - performance.now()).toBeLessThan(5000);
    expect(signal!.aborted).toBe(false);
    expect(request.trace).toMatchObject({ traceparent: headers.traceparent });
    expect(unscored).toEqual([]);
  });

  it('makes text of numbers as training does', async () => {
    const scores = await Promise.all(
      [
        { name: 'item', datatype: 'BYTES', shape: [2], data: ['3', '12'] },
        { name: 'item', datatype: 'INT64', shape: [2], data: [3, 12] },
        { name: 'item', datatype: 'FP32', shape: [2], data: [3, 12] },
      ].map(async (item) => (await inferJson('feed', { inputs: [item, { name: 'member', datatype: 'BOOL', shape: [1], data: [true] }, { name: '@time', datatype: 'INT64', shape: [1], data: [0] }] })).outputs),
    );
    expect(scores[1]).toEqual(scores[0]);
    expect(scores[2]).toEqual(scores[0]);
    expect(scorer.seen[0]!.requestColumns.get('member')).toMatchObject({ values: ['true'] });
  });

  it('says what was defaulted and what nobody reads', async () => {
    const { parameters } = await inferJson('search', { inputs: [candidates(2), { name: 'colour', datatype: 'BYTES', shape: [2], data: ['red', 'blue'] }, { name: 'odd', datatype: 'FP32', shape: [7], data: [1, 2, 3, 4, 5, 6, 7] }] });
    expect(JSON.parse(parameters['defaulted']!)).toContainEqual({ feature: 'price', reason: 'missing', rows: 2 });
    expect(new Set(JSON.parse(parameters['ignored']!) as string[])).toEqual(new Set(['colour', 'odd']));
    expect(scorer.seen[0]!.arrived).toBeLessThan(performance.now());
    expect([[...scorer.seen[0]!.candidateColumns.keys()], scorer.seen[0]!.unread]).toEqual([['item'], ['colour', 'odd']]);
  });

  it('may have no candidate, or a request without any', async () => {
    expect((await inferJson('search', { inputs: [candidates(0)] })).outputs).toEqual([{ name: 'click', datatype: 'FP32', shape: [0], data: [] }]);
    const inputs = [candidates(3), { name: 'row_to_request', datatype: 'INT64', shape: [3], data: [0, 0, 2] }, { name: 'age', datatype: 'FP64', shape: [4], data: [30, null, 40, 50] }];
    await inferJson('search', { inputs });
    expect(scorer.seen.slice(1).map(({ candidateCount, requestColumns }) => [candidateCount, requestColumns.get('age')!.type])).toEqual([2, 0, 1, 0].map((count) => [count, 'number']));
  });

  it.each<readonly [string, number, unknown, string]>([
    ['no JSON object', 400, [], 'the body: another value is given; expected: an object'],
    ['no inputs', 400, {}, 'inputs: nothing is given; expected: an array'],
    ['no candidates', 400, { inputs: [] }, 'inputs: nothing tells how many candidates there are; expected: an input of the candidates, or @item_id'],
    ['no name', 400, { inputs: [{ datatype: 'FP32', shape: [1], data: [1] }] }, 'inputs[0].name: another value is given; expected: a string'],
    ['half precision', 400, { inputs: [{ name: 'price', datatype: 'FP16', shape: [1], data: [1] }] }, 'inputs[0].datatype: "FP16" is no datatype that inputs can have'],
    ['text for numbers', 400, { inputs: [candidates(1), { name: 'price', datatype: 'BYTES', shape: [1], data: ['1'] }] }, 'inputs[1]: input "price" has datatype BYTES; expected: numbers'],
    ['numbers for text', 400, { inputs: [{ ...candidates(1), data: [3] }] }, 'inputs[0].data[0]: 3 is no such element; expected: a string or null'],
    ['a negative dimension', 400, { inputs: [{ ...candidates(1), shape: [-1] }] }, 'inputs[0].shape: a dimension is -1; expected: whole numbers from 0 on'],
    ['too many dimensions', 400, { inputs: [{ ...candidates(1), shape: new Array(5000).fill(1) }] }, 'inputs[0].shape: the shape has 5000 dimensions'],
    ['another number of elements', 400, { inputs: [{ ...candidates(3), data: ['1'] }] }, 'inputs[0].data: there are 1 elements; expected: 3, as the shape [3] says'],
    ['another number of rows', 400, { inputs: [candidates(2), { name: 'brand', datatype: 'BYTES', shape: [3], data: ['a', 'b', 'c'] }] }, 'inputs[1].shape: input "brand" has shape [3]; expected: [2]'],
    ['a torn nesting', 400, { inputs: [candidates(2), { name: 'history.item', datatype: 'BYTES', shape: [1, 2], data: [['a']] }] }, 'inputs[1].data[0]: there are 1 elements; expected: an array of 2'],
    ['lengths that do not add up', 400, { inputs: [candidates(1), { name: 'history.item', datatype: 'BYTES', shape: [2], data: ['a', 'b'] }, { name: 'history.item.lengths', datatype: 'INT32', shape: [1], data: [3] }] }, 'inputs[2]: input "history.item.lengths" does not add up to the 2 elements of "history.item"'],
    ['fields of a sequence that differ in length', 400, { inputs: [candidates(1), { name: 'history.item', datatype: 'BYTES', shape: [2], data: ['3', '4'] }, { name: 'history.kind', datatype: 'BYTES', shape: [1, 1], data: ['buy'] }] }, 'inputs[2]: input "history.kind" has other numbers of events than "history.item"'],
    ['several values a row', 400, { inputs: [{ name: 'item', datatype: 'BYTES', shape: [2], data: ['a', 'b'] }, { name: 'item.lengths', datatype: 'INT32', shape: [2], data: [2, 0] }] }, 'inputs[1]: element 0 of input "item.lengths" is more than 1'],
    ['an integer out of range', 400, { inputs: [{ name: 'item', datatype: 'UINT8', shape: [1], data: [256] }] }, 'inputs[0].data[0]: 256 is no such element; expected: a whole number from 0 to 255, or null'],
    ['an infinite number', 400, { inputs: [{ name: 'price', datatype: 'FP32', shape: [1], data: [1e39] }] }, 'inputs[0].data: element 0 is infinite'],
    ['the same input twice', 400, { inputs: [candidates(1), candidates(1)] }, 'inputs[1]: input "item" is given twice'],
    ['requests out of order', 400, { inputs: [candidates(2), { name: 'row_to_request', datatype: 'INT32', shape: [2], data: [1, 0] }] }, 'inputs[1]: element 1 of "row_to_request" is 0'],
    ['more candidates than allowed', 413, { inputs: [candidates(1001)] }, 'inputs: the call has 1001 candidates; expected: at most 1000'],
    ['more requests than allowed', 413, { inputs: [{ name: 'row_to_request', datatype: 'INT32', shape: [1], data: [0] }, { name: 'age', datatype: 'FP32', shape: [1001], data: new Array(1001).fill(1) }] }, 'inputs: the call has 1001 requests; expected: at most 1000'],
    ['more inputs than any surface has', 413, { inputs: new Array(4097).fill({}) }, 'inputs: the call has 4097 inputs; expected: at most 4096'],
    ['an unknown output', 404, { inputs: [candidates(1)], outputs: [{ name: 'buy' }] }, 'outputs[0].name: "search" has no output "buy"; expected: one of click'],
    ['shared memory', 400, { inputs: [{ name: 'item', datatype: 'BYTES', shape: [1], parameters: { shared_memory_region: 'x' } }] }, 'inputs[0].parameters.shared_memory_region: shared memory is not supported'],
    ['a timeout that is no number', 400, { inputs: [candidates(1)], parameters: { timeout: 'soon' } }, 'parameters.timeout: the timeout is no such number; expected: microseconds'],
  ])('with %s is refused with %i', async (_, code, message, text) => {
    const [status, error] = await errorOf('search', message);
    expect(error).toContain(text);
    expect(status).toBe(code);
    expect(scorer.seen).toEqual([]);
    expect(unscored).toEqual([['oip-rest', { 400: 'invalid', 404: 'not_found', 413: 'too_large' }[code], 'search', '1']]);
  });

  it.each<readonly [string, RequestError, number, string | undefined]>([
    ['overloaded', new RequestError('overloaded', 'the queue is full', { retryAfter: 2 }), 429, '2'],
    ['unavailable', new RequestError('unavailable', 'going down', { retryAfter: 1 }), 503, '1'],
    ['deadline', new RequestError('deadline', 'too late'), 504, undefined],
  ])('that is not scored says why: %s', async (_, failure, status, retryAfter) => {
    scorer.failure = failure;
    const answered = await infer('search', JSON.stringify({ inputs: [candidates(1)] }));
    expect([answered.statusCode, answered.headers['retry-after'], answered.json()]).toEqual([status, retryAfter, { error: failure.message }]);
    expect(unscored).toEqual([]);
  });

  it('for what is not loaded is counted under empty names', async () => {
    for (const path of ['/v2/models/none/infer', '/v2/models/search/versions/7/infer']) expect((await infer('', JSON.stringify({ inputs: [candidates(1)] }), {}, path)).statusCode).toBe(404);
    expect(unscored).toEqual([['oip-rest', 'not_found', '', ''], ['oip-rest', 'not_found', 'search', '']]);
  });

  it('is cancelled when its client goes away', async () => {
    let open = (): void => undefined;
    scorer.gate = new Promise((resolve) => (open = resolve));
    const address = await app.listen({ port: 0, host: '127.0.0.1' });
    const leave = new AbortController();
    const asked = fetch(`${address}/v2/models/search/infer`, { method: 'POST', body: JSON.stringify({ inputs: [candidates(1)] }), signal: leave.signal });
    await expect.poll(() => scorer.seen.length).toBe(1);
    leave.abort();
    await expect(asked).rejects.toThrow();
    await expect.poll(() => scorer.seen[0]!.signal!.aborted).toBe(true);
    open();
  });
});

describe('bytes after the JSON', () => {
  const tensors = (): readonly GivenTensor[] => callTensors([golden.search[0]!], surfaceOf('search').inputs);

  it.each<readonly [string, (payload: Buffer, length: string) => readonly [Buffer, string]]>([
    ['cut off', (payload, length) => [payload.subarray(0, -3), length]],
    ['too many', (payload, length) => [Buffer.concat([payload, Buffer.of(1)]), length]],
    ['with a header beyond the body', (payload) => [payload, String(payload.length + 1)]],
    ['with a header in the middle of the JSON', (payload, length) => [payload, String(Number(length) - 2)]],
    ['with a header that is no number', (payload) => [payload, '-1']],
    ['without a header', (payload) => [payload, '']],
  ])('that are %s are refused', async (_, change) => {
    const { payload, headers } = binaryBody(tensors());
    const [body, length] = change(payload, headers['inference-header-content-length']!);
    const answered = await infer('search', body, length === '' ? { 'content-type': 'application/json' } : { ...headers, 'inference-header-content-length': length });
    expect(answered.statusCode).toBe(400);
    expect(answered.json<{ error: string }>().error).not.toBe('');
  });

  it('may be no UTF-8, which is said', async () => {
    const { payload, headers } = binaryBody([{ name: 'item', datatype: 'BYTES', shape: [1], data: ['ab'] }]);
    payload[payload.length - 1] = 0xff;
    expect((await infer('search', payload, headers)).json()).toEqual({ error: 'inputs[0]: element 0 is no UTF-8; expected: text in UTF-8' });
  });

  it.each([['gzip', gzipSync], ['deflate', deflateSync], ['br', brotliCompressSync], ['identity', (bytes: Buffer) => bytes]] as const)('may be compressed: %s', async (encoding, compress) => {
    const { payload, headers } = binaryBody(tensors());
    const plain = await infer('search', payload, headers);
    const answered = await infer('search', compress(payload), { ...headers, 'content-encoding': encoding });
    expect([answered.statusCode, answered.rawPayload]).toEqual([200, plain.rawPayload]);
  });

  it('that are wrongly compressed are refused, and counted', async () => {
    const { payload, headers } = binaryBody(tensors());
    const errorFor = async (body: Buffer, encoding: string): Promise<readonly [number, string]> => {
      const answered = await infer('search', body, { ...headers, 'content-encoding': encoding });
      return [answered.statusCode, answered.json<{ error: string }>().error];
    };
    expect(await errorFor(payload, 'gzip')).toEqual([400, 'the body is no gzip: incorrect header check']);
    expect(await errorFor(gzipSync(payload).subarray(0, -20), 'gzip')).toEqual([400, 'the body is no gzip: unexpected end of file']);
    expect(await errorFor(payload, 'snappy')).toEqual([400, 'Content-Encoding: the body\'s encoding "snappy" is not known; expected: gzip, deflate, br, or none']);
    // A few kilobytes that become a hundred megabytes: refused at the limit.
    expect((await errorFor(gzipSync(Buffer.alloc(100_000_000)), 'gzip'))[0]).toBe(413);
    expect(unscored).toEqual([...Array.from({ length: 3 }, () => ['oip-rest', 'invalid', 'search', '1']), ['oip-rest', 'too_large', 'search', '1']]);
  });

  it('over the limit are refused before they are read', async () => {
    const answered = await infer('search', Buffer.alloc(100_001));
    expect([answered.statusCode, answered.json()]).toEqual([413, { error: 'Request body is too large; expected: at most 100000 bytes: --max-body-bytes of the server' }]);
    expect(unscored).toEqual([['oip-rest', 'too_large', 'search', '1']]);
  });
});

describe('what the protocol tells', () => {
  const get = async (url: string): Promise<readonly [number, unknown]> => {
    const answered = await app.inject({ url });
    return [answered.statusCode, answered.json()];
  };

  it('of the server', async () => {
    expect(await get('/v2')).toEqual([200, { name: 'onefold', version: '1.2.3', extensions: ['binary_tensor_data', 'parameters'] }]);
    expect(await get('/v2/health/live')).toEqual([200, { live: true }]);
    expect(await get('/v2/health/ready')).toEqual([200, { ready: true }]);
    scorer.isReady = false;
    expect(await get('/v2/health/live')).toEqual([200, { live: true }]);
    expect(await get('/v2/health/ready')).toEqual([503, { ready: false }]);
  });

  it('of a model', async () => {
    const [status, model] = await get('/v2/models/feed/versions/1');
    expect([status, model]).toMatchObject([200, { name: 'feed', versions: ['1'], platform: 'onefold_onnx', outputs: [{ name: 'click', datatype: 'FP32', shape: [-1] }, { name: 'save', datatype: 'FP32', shape: [-1] }] }]);
    const { inputs } = model as { readonly inputs: readonly unknown[] };
    expect(inputs).toEqual(expect.arrayContaining([
      { name: 'age', datatype: 'FP64', shape: [1] },
      { name: 'item', datatype: 'BYTES', shape: [-1] },
      { name: 'shape', datatype: 'FP64', shape: [-1, 2] },
      { name: 'tags', datatype: 'BYTES', shape: [-1, -1] },
      { name: 'history.@time', datatype: 'INT64', shape: [1, -1] },
      { name: '@view_type', datatype: 'BYTES', shape: [1] },
    ]));
    expect(await get('/v2/models/feed')).toEqual([status, model]);
    expect(await get('/v2/models/feed/ready')).toEqual([200, { name: 'feed', ready: true }]);
    expect(await get('/v2/models/none')).toEqual([404, { error: 'model_name: no model "none" is loaded; expected: one of feed, search' }]);
    expect(await get('/v2/models/feed/versions/2/ready')).toEqual([404, { error: 'model_version: no version "2" of "feed" is loaded; expected: one of 1' }]);
    expect(await get('/v2/none')).toEqual([404, { error: 'there is no GET /v2/none; expected: a path of the Open Inference Protocol' }]);
  });

  it('of all that is loaded', async () => {
    const index = (payload?: string) => app.inject({ method: 'POST', url: '/v2/repository/index', ...(payload === undefined ? {} : { payload }) });
    const both = SURFACES.map((name) => ({ name, version: '1', state: 'READY', reason: '' }));
    expect((await index()).json()).toEqual(both);
    expect((await index('{"ready": true}')).json()).toEqual(both);
    scorer.isReady = false;
    expect((await index('{}')).json()).toMatchObject([{ state: 'UNAVAILABLE' }, { state: 'UNAVAILABLE' }]);
    expect((await index('{"ready": true}')).json()).toEqual([]);
    expect((await index('{')).statusCode).toBe(400);
  });
});

describe('whatever is sent', () => {
  const isAnswered = async (payload: Buffer | string, headers: Readonly<Record<string, string>>): Promise<void> => {
    const answered = await infer('feed', payload, headers);
    expect(answered.statusCode, answered.body).toBeLessThan(500);
    if (answered.statusCode !== 200) expect(typeof answered.json<{ error: unknown }>().error).toBe('string');
  };

  it('is answered without a failure: bytes', async () => {
    const headers = fc.record({ 'content-type': fc.constantFrom('application/json', 'application/octet-stream', 'text/plain'), 'inference-header-content-length': fc.oneof(fc.nat(300).map(String), fc.string().map(encodeURIComponent)) }, { requiredKeys: ['content-type'] });
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), headers, (bytes, given) => isAnswered(Buffer.from(bytes), given)), { numRuns: 500 });
  });

  it('is answered without a failure: tensors of any shape', async () => {
    const names = [...surfaceOf('feed').inputs.map(({ name }) => name), '@time', '@view_type', '@item_id', 'row_to_request', 'tags.lengths', 'history.lengths', 'toString', '__proto__'];
    const element = fc.oneof(fc.constant(null), fc.integer({ min: -3, max: 300 }), fc.double(), fc.string(), fc.boolean(), fc.jsonValue());
    const tensor = fc.record(
      {
        name: fc.oneof(fc.constantFrom(...names), fc.jsonValue()),
        datatype: fc.oneof(fc.constantFrom('BYTES', 'FP64', 'FP32', 'INT64', 'INT32', 'UINT8', 'BOOL'), fc.jsonValue()),
        shape: fc.oneof(fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer()), { maxLength: 3 }), fc.jsonValue()),
        data: fc.oneof(fc.array(element, { maxLength: 4 }), fc.array(fc.array(element, { maxLength: 3 }), { maxLength: 3 }), fc.jsonValue()),
        parameters: fc.oneof(fc.record({ binary_data_size: fc.jsonValue() }), fc.jsonValue()),
      },
      { requiredKeys: ['name', 'datatype', 'shape'] },
    );
    const message = fc.record({ inputs: fc.array(tensor, { maxLength: 6 }), outputs: fc.jsonValue(), id: fc.jsonValue(), parameters: fc.jsonValue() }, { requiredKeys: ['inputs'] });
    await fc.assert(fc.asyncProperty(message, (one) => isAnswered(JSON.stringify(one), { 'content-type': 'application/json' })), { numRuns: 1500 });
  });

  it('is answered without a failure: whole calls with bytes changed', async () => {
    const { payload, headers } = binaryBody(callTensors(golden.feed.slice(0, 2), surfaceOf('feed').inputs));
    const changes = fc.array(fc.tuple(fc.nat(payload.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, (given) => {
        const changed = Buffer.from(payload);
        for (const [at, byte] of given) changed[at] = byte;
        return isAnswered(changed, headers);
      }),
      { numRuns: 500 },
    );
  });
});
