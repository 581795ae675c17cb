/** The Open Inference Protocol over gRPC, against real exports. */
import { create, fromBinary, toBinary, type DescMessage, type DescMethodUnary, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, status, type CallOptions, type ServiceError } from '@grpc/grpc-js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IoError } from '../src/config/errors.js';
import { startGrpc, type GrpcOptions, type GrpcServer } from '../src/serve/oip/grpc-server.js';
import { Health, HealthCheckResponse_ServingStatus } from '../src/serve/oip/health_pb.js';
import { GRPCInferenceService, ModelInferRequestSchema, type ModelInferRequest, type ModelInferResponse } from '../src/serve/oip/open_inference_pb.js';
import type { ServedSurface } from '../src/serve/raw-request.js';
import { Readiness } from '../src/serve/readiness.js';
import { RequestError } from '../src/serve/request-error.js';
import { Unscored } from '../src/serve/unscored.js';
import { ExportScorer } from './support/export-scorer.js';
import { callTensors, tensorBytes, type GivenTensor } from './support/oip-tensors.js';
import { createServedShop, type GoldenRequest, type ServedShop } from './support/served-shop.js';

const SURFACES = ['feed', 'search'] as const;
const { method } = GRPCInferenceService;

let shop: ServedShop;
let scorer: ExportScorer;
let server: GrpcServer;
let client: Client;
const defects: unknown[] = [];
/** Codes of calls that no scorer had. */
const unscored: string[] = [];

beforeAll(async () => {
  shop = await createServedShop();
});

afterAll(() => shop.remove());

const start = (options: Partial<GrpcOptions> = {}): Promise<GrpcServer> =>
  startGrpc({ scorer, host: '127.0.0.1', port: 0, maxMessageBytes: 100_000, maxCandidates: 1000, serverVersion: '1.2.3', unscored: new Unscored(scorer, ({ protocol, outcome, surface, version }) => unscored.push(`${protocol} ${outcome} ${surface} ${version}`)), onDefect: (error) => defects.push(error), ...options });

const connect = ({ port }: GrpcServer, secure = credentials.createInsecure()): Client => new Client(`localhost:${port}`, secure);

beforeEach(async () => {
  unscored.length = 0;
  scorer = new ExportScorer(Object.values(shop.exports));
  server = await start();
  client = connect(server);
});

afterEach(async () => {
  client.close();
  await server.close(1000);
  expect(defects.splice(0)).toEqual([]);
});

/** Sends bytes to a method. */
const send = (desc: DescMethodUnary, bytes: Uint8Array, options: CallOptions = {}, metadata = new Metadata(), by = client): { readonly answer: Promise<Buffer>; readonly cancel: () => void } => {
  let cancel = (): void => undefined;
  const answer = new Promise<Buffer>((resolve, reject) => {
    const call = by.makeUnaryRequest<Buffer, Buffer>(`/${desc.parent.typeName}/${desc.name}`, (message) => message, (message) => message, Buffer.from(bytes), metadata, options, (error, value) => {
      if (error === null) resolve(value!);
      else reject(error);
    });
    cancel = () => {
      call.cancel();
    };
  });
  return { answer, cancel };
};

const ask = async <I extends DescMessage, O extends DescMessage>(desc: DescMethodUnary<I, O>, message: MessageInitShape<I>, metadata?: Metadata, by?: Client): Promise<MessageShape<O>> =>
  fromBinary(desc.output, await send(desc, toBinary(desc.input, create(desc.input, message)), {}, metadata, by).answer);

/** The status that a call ends with. */
const failureOf = async (answer: Promise<unknown>): Promise<ServiceError> => {
  try {
    await answer;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('the call did not fail');
};

const surfaceOf = (name: string): ServedSurface => scorer.surfaces().find(({ surface }) => surface === name)!;

type InferMessage = Exclude<MessageInitShape<typeof ModelInferRequestSchema>, ModelInferRequest>;

const headOf = ({ name, datatype, shape }: GivenTensor) => ({ name, datatype, shape: shape.map(BigInt) });

const rawMessage = (modelName: string, tensors: readonly GivenTensor[]): InferMessage => ({ modelName, inputs: tensors.map(headOf), rawInputContents: tensors.map(tensorBytes) });

const contentsOf = ({ datatype, data }: GivenTensor) => {
  const numbers = data.map((value) => (value === null ? NaN : Number(value)));
  switch (datatype) {
    case 'BYTES':
      return { bytesContents: data.map((text) => Buffer.from(String(text))) };
    case 'FP64':
      return { fp64Contents: numbers };
    case 'FP32':
      return { fp32Contents: numbers };
    case 'INT64':
      return { int64Contents: numbers.map(BigInt) };
    case 'INT32':
      return { intContents: numbers };
    case 'BOOL':
      return { boolContents: data.map((value) => value === true) };
  }
};

const typedMessage = (modelName: string, tensors: readonly GivenTensor[]): InferMessage => ({ modelName, inputs: tensors.map((tensor) => ({ ...headOf(tensor), contents: contentsOf(tensor) })) });

const scoresOf = ({ outputs, rawOutputContents }: ModelInferResponse): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(
    outputs.map(({ name, contents, datatype, shape }, index) => {
      const raw = rawOutputContents[index];
      const scores = raw === undefined ? contents!.fp32Contents : [...new Float32Array(Uint8Array.from(raw).buffer)];
      expect([datatype, shape]).toEqual(['FP32', [BigInt(scores.length)]]);
      return [name, scores];
    }),
  );

const expectScores = (answer: ModelInferResponse, requests: readonly GoldenRequest[]): void => {
  const scores = scoresOf(answer);
  expect(Object.keys(scores)).toEqual(Object.keys(requests[0]!.scores));
  for (const [task, values] of Object.entries(scores)) {
    const expected = requests.flatMap((request) => request.scores[task]!);
    expect(values).toHaveLength(expected.length);
    expect(Math.max(...expected.map((value, row) => Math.abs(value - values[row]!)))).toBeLessThan(1e-5);
  }
};

const items = (count: number): GivenTensor => ({ name: 'item', datatype: 'BYTES', shape: [count], data: Array.from({ length: count }, (_, row) => String(row)) });
const inferItems = (options?: CallOptions, metadata?: Metadata, by?: Client) => send(method.modelInfer, toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, rawMessage('search', [items(1)]))), options, metadata, by);

describe.each(SURFACES)('golden rows of %s get the scores stored with them', (surface) => {
  it('from raw contents, alone and together, and from typed ones', async () => {
    const golden = await shop.golden(surface);
    const { inputs } = surfaceOf(surface);
    for (const request of golden) {
      const tensors = callTensors([request], inputs);
      const raw = await ask(method.modelInfer, { ...rawMessage(surface, tensors), id: request.requestId });
      expect(raw).toMatchObject({ modelName: surface, modelVersion: '1', id: request.requestId });
      expect(raw.parameters['version']!.parameterChoice).toEqual({ case: 'stringParam', value: '1' });
      expect(raw.parameters['defaulted']!.parameterChoice).toEqual({ case: 'stringParam', value: '[]' });
      expectScores(raw, [request]);
      const typed = await ask(method.modelInfer, typedMessage(surface, tensors));
      expect(typed.rawOutputContents).toEqual([]);
      expectScores(typed, [request]);
    }
    expectScores(await ask(method.modelInfer, rawMessage(surface, callTensors(golden, inputs))), golden);
  });
});

describe('an infer call', () => {
  it('names version, outputs and timeout', async () => {
    const before = performance.now();
    const answer = await ask(method.modelInfer, { ...typedMessage('feed', [items(2)]), modelVersion: '1', outputs: [{ name: 'save' }], parameters: { timeout: { parameterChoice: { case: 'int64Param', value: 5_000_000n } } } });
    expect(Object.keys(scoresOf(answer))).toEqual(['save']);
    const [request] = scorer.seen;
    expect(request).toMatchObject({ surface: 'feed', version: '1', tasks: ['save'] });
    expect(unscored).toEqual([]);
    expect(request!.deadline! - before).toBeGreaterThan(4900);
    expect(request!.deadline! - before).toBeLessThan(6000);
  });

  it('says when it came', async () => {
    const before = performance.now();
    await inferItems().answer;
    expect(scorer.seen[0]!.arrived).toBeGreaterThan(before);
  });

  it('passes on the trace it is part of', async () => {
    const metadata = new Metadata();
    metadata.set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
    metadata.set('tracestate', 'shop=1');
    await inferItems({}, metadata).answer;
    expect(scorer.seen[0]!.trace).toEqual({ traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'shop=1' });
  });

  it('keeps ids that no double holds', async () => {
    await ask(method.modelInfer, typedMessage('search', [{ name: 'item', datatype: 'INT64', shape: [1], data: [2 ** 60] }]));
    await ask(method.modelInfer, rawMessage('search', [{ name: 'item', datatype: 'INT64', shape: [1], data: [2 ** 60] }]));
    for (const { candidateColumns } of scorer.seen) expect(candidateColumns.get('item')).toEqual({ type: 'string', values: ['1152921504606846976'] });
  });

  it.each<readonly [string, InferMessage, status, string]>([
    ['no model', { inputs: [] }, status.NOT_FOUND, 'model_name: no model "" is loaded; expected: one of feed, search'],
    ['another version', { ...typedMessage('feed', [items(1)]), modelVersion: '2' }, status.NOT_FOUND, 'model_version: no version "2" of "feed" is loaded'],
    ['fewer raw contents than inputs', { ...rawMessage('feed', [items(1), items(1)]), rawInputContents: [Buffer.of()] }, status.INVALID_ARGUMENT, 'raw_input_contents: there are 1 raw contents of 2 inputs'],
    ['contents and raw contents', { ...typedMessage('feed', [items(1)]), rawInputContents: [tensorBytes(items(1))] }, status.INVALID_ARGUMENT, 'inputs[0].contents: contents are given beside raw_input_contents'],
    ['contents of another datatype', { modelName: 'feed', inputs: [{ ...headOf(items(1)), contents: { fp32Contents: [1] } }] }, status.INVALID_ARGUMENT, 'inputs[0].contents: there are 0 elements of BYTES'],
    ['text that is no UTF-8', { modelName: 'feed', inputs: [{ ...headOf(items(1)), contents: { bytesContents: [Buffer.of(0xff)] } }] }, status.INVALID_ARGUMENT, 'inputs[0]: element 0 is no UTF-8'],
    ['a negative dimension', { modelName: 'feed', inputs: [{ ...headOf(items(1)), shape: [-1n] }] }, status.INVALID_ARGUMENT, 'inputs[0].shape: a dimension is -1'],
    ['too many candidates', rawMessage('feed', [items(1001)]), status.RESOURCE_EXHAUSTED, 'inputs: the call has 1001 candidates'],
    ['more inputs than any surface has', { modelName: 'feed', inputs: new Array(4097).fill({}) as [] }, status.RESOURCE_EXHAUSTED, 'inputs: the call has 4097 inputs'],
    ['an unknown output', { ...typedMessage('feed', [items(1)]), outputs: [{ name: 'buy' }] }, status.NOT_FOUND, 'outputs[0].name: "feed" has no output "buy"'],
    ['an output name beyond what a status may hold', { ...typedMessage('feed', [items(1)]), outputs: [{ name: '\u{1F600}'.repeat(20_000) }] }, status.NOT_FOUND, 'outputs[0].name: "feed" has no output "\u{1F600}'],
    ['classification', { ...typedMessage('feed', [items(1)]), outputs: [{ name: 'click', parameters: { classification: { parameterChoice: { case: 'int64Param', value: 1n } } } }] }, status.INVALID_ARGUMENT, 'outputs[0].parameters.classification: classification is not supported'],
  ])('with %s is refused, and counted under what is loaded', async (_, message, code, details) => {
    const failure = await failureOf(ask(method.modelInfer, message));
    expect(failure.details).toContain(details);
    expect(failure.code).toBe(code);
    expect(scorer.seen).toEqual([]);
    const counted = details.startsWith('model_name') ? ' ' : details.startsWith('model_version') ? 'feed ' : 'feed 1';
    expect(unscored).toEqual([`oip-grpc ${code === status.NOT_FOUND ? 'not_found' : code === status.RESOURCE_EXHAUSTED ? 'too_large' : 'invalid'} ${counted}`]);
  });

  it.each<readonly [RequestError, status, string | undefined]>([
    [new RequestError('overloaded', 'the queue is full', { retryAfter: 0.25 }), status.RESOURCE_EXHAUSTED, '250'],
    [new RequestError('unavailable', 'going down'), status.UNAVAILABLE, undefined],
    [new RequestError('deadline', 'too late'), status.DEADLINE_EXCEEDED, undefined],
  ])('that is not scored says why: %s', async (failure, code, pushback) => {
    scorer.failure = failure;
    const found = await failureOf(inferItems().answer);
    expect([found.code, found.details, found.metadata.get('grpc-retry-pushback-ms')[0]]).toEqual([code, failure.message, pushback]);
    expect(unscored).toEqual([]);
  });

  it('says of a defect only that it is one', async () => {
    scorer.failure = new TypeError('x is undefined');
    const found = await failureOf(inferItems().answer);
    expect([found.code, found.details]).toEqual([status.INTERNAL, 'the server failed; it is in its log']);
    expect(defects.splice(0)).toEqual([scorer.failure]);
  });

  it('of more fields than any call has is refused before they are read', async () => {
    // An empty input, and an empty output.
    for (const tag of [0x2a, 0x32]) {
      const failure = await failureOf(send(method.modelInfer, Buffer.alloc(99_998, Buffer.of(tag, 0))).answer);
      expect([failure.code, failure.details]).toEqual([status.RESOURCE_EXHAUSTED, 'the message has too many fields; expected: at most 12288: inputs, their contents, outputs and parameters']);
    }
    expect(unscored).toEqual(['oip-grpc too_large  ', 'oip-grpc too_large  ']);
  });

  it('larger than a message may be is refused, and counted as far as gRPC leaves it to us', async () => {
    const sent = (size: number): Promise<ServiceError> => failureOf(ask(method.modelInfer, rawMessage('feed', [{ ...items(1), data: ['x'.repeat(size)] }])));
    expect(await sent(100_000)).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: expect.stringMatching(/^the message has 100\d\d\d bytes; expected: at most 100000 bytes: --max-body-bytes of the server$/) as string });
    expect(unscored).toEqual(['oip-grpc too_large  ']);
    expect((await sent(200_000)).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(unscored).toHaveLength(1);
  });

  it('has the deadline of its client, and is cancelled with it', async () => {
    scorer.gate = new Promise<void>((resolve) => setTimeout(resolve, 4000));
    const started = performance.now();
    const late = inferItems({ deadline: Date.now() + 2000 });
    await expect.poll(() => scorer.seen.length).toBe(1);
    expect(scorer.seen[0]!.deadline! - started).toBeGreaterThan(1500);
    expect(scorer.seen[0]!.deadline! - started).toBeLessThan(4000);
    expect((await failureOf(late.answer)).code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => scorer.seen[0]!.signal!.aborted).toBe(true);
    const left = inferItems();
    await expect.poll(() => scorer.seen.length).toBe(2);
    expect(scorer.seen[1]!.signal!.aborted).toBe(false);
    left.cancel();
    expect((await failureOf(left.answer)).code).toBe(status.CANCELLED);
    await expect.poll(() => scorer.seen[1]!.signal!.aborted).toBe(true);
  });

  it('of any bytes is answered without a failure', async () => {
    const whole = Buffer.from(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, rawMessage('feed', [items(3), { name: 'price', datatype: 'FP32', shape: [3], data: [1, 2, 3] }]))));
    const changed = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
      const copy = Buffer.from(whole);
      for (const [at, byte] of changes) copy[at] = byte;
      return copy;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), async (bytes) => {
        const code = await send(method.modelInfer, bytes).answer.then(
          () => status.OK,
          (error: unknown) => (error as ServiceError).code,
        );
        expect([status.OK, status.INVALID_ARGUMENT, status.NOT_FOUND, status.RESOURCE_EXHAUSTED]).toContain(code);
      }),
      { numRuns: 500 },
    );
  });
});

describe('what the server tells', () => {
  it('of itself, its models and its health', async () => {
    expect(await ask(method.serverLive, {})).toMatchObject({ live: true });
    expect(await ask(method.serverReady, {})).toMatchObject({ ready: true });
    expect(await ask(method.modelReady, { name: 'feed', version: '1' })).toMatchObject({ ready: true });
    expect((await failureOf(ask(method.modelReady, { name: 'none' }))).code).toBe(status.NOT_FOUND);
    expect(await ask(method.serverMetadata, {})).toMatchObject({ name: 'onefold', version: '1.2.3', extensions: ['binary_tensor_data', 'parameters'] });
    const model = await ask(method.modelMetadata, { name: 'feed' });
    expect(model).toMatchObject({ name: 'feed', versions: ['1'], platform: 'onefold_onnx' });
    expect(model.inputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual(expect.arrayContaining([['shape', 'FP64', [-1n, 2n]], ['age', 'FP64', [1n]], ['tags', 'BYTES', [-1n, -1n]]]));
    expect(model.outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([['click', 'FP32', [-1n]], ['save', 'FP32', [-1n]]]);
    expect((await ask(method.repositoryIndex, { ready: true })).models.map(({ name, version, state }) => [name, version, state])).toEqual(SURFACES.map((name) => [name, '1', 'READY']));
    expect(await ask(Health.method.check, {})).toMatchObject({ status: HealthCheckResponse_ServingStatus.SERVING });
    expect(await ask(Health.method.check, { service: 'inference.GRPCInferenceService' })).toMatchObject({ status: HealthCheckResponse_ServingStatus.SERVING });
    expect((await failureOf(ask(Health.method.check, { service: 'none' }))).code).toBe(status.NOT_FOUND);
    scorer.isReady = false;
    expect(await ask(method.serverReady, {})).toMatchObject({ ready: false });
    expect(await ask(Health.method.check, {})).toMatchObject({ status: HealthCheckResponse_ServingStatus.NOT_SERVING });
  });
});

describe('the server', () => {
  describe('of its health, watched', () => {
    /** What a watch is told, and what it ends with. */
    const watch = (service: string, by: Client): { readonly told: HealthCheckResponse_ServingStatus[]; readonly ended: Promise<ServiceError>; readonly cancel: () => void } => {
      const told: HealthCheckResponse_ServingStatus[] = [];
      const message = toBinary(Health.method.watch.input, create(Health.method.watch.input, { service }));
      const call = by.makeServerStreamRequest<Buffer, Buffer>('/grpc.health.v1.Health/Watch', (bytes) => bytes, (bytes) => bytes, Buffer.from(message));
      call.on('data', (bytes: Buffer) => told.push(fromBinary(Health.method.watch.output, bytes).status));
      return { told, ended: new Promise((resolve) => call.on('error', resolve)), cancel: () => { call.cancel(); } };
    };

    it('tells of the end before it comes', async () => {
      const readiness = new Readiness(() => scorer.isReady);
      const watched = await start({ readiness, authorize: () => false });
      const by = connect(watched);
      const [all, own, none, gone] = ['', GRPCInferenceService.typeName, 'none', ''].map((service) => watch(service, by)) as [ReturnType<typeof watch>, ReturnType<typeof watch>, ReturnType<typeof watch>, ReturnType<typeof watch>];
      const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse_ServingStatus;
      await expect.poll(() => [all.told, own.told, none.told, gone.told]).toEqual([[SERVING], [SERVING], [SERVICE_UNKNOWN], [SERVING]]);
      gone.cancel();
      expect((await gone.ended).code).toBe(status.CANCELLED);
      readiness.drain();
      await expect.poll(() => [all.told, own.told, none.told, gone.told]).toEqual([[SERVING, NOT_SERVING], [SERVING, NOT_SERVING], [SERVICE_UNKNOWN, SERVICE_UNKNOWN], [SERVING]]);
      expect(await ask(Health.method.check, {}, undefined, by)).toMatchObject({ status: NOT_SERVING });
      const started = performance.now();
      await watched.close(10_000);
      expect(performance.now() - started).toBeLessThan(5000);
      expect([(await all.ended).code, (await none.ended).code]).toEqual([status.UNAVAILABLE, status.UNAVAILABLE]);
      by.close();
    });

    it('refuses what is no request', async () => {
      const call = client.makeServerStreamRequest<Buffer, Buffer>('/grpc.health.v1.Health/Watch', (bytes) => bytes, (bytes) => bytes, Buffer.of(255));
      expect(await new Promise((resolve) => call.on('error', resolve))).toMatchObject({ code: status.INVALID_ARGUMENT });
    });
  });

  it('wants a token where it is told to, but not for health', async () => {
    const guarded = await start({ authorize: (header) => header === 'Bearer right' });
    const by = connect(guarded);
    const withToken = (token: string): Metadata => {
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      return metadata;
    };
    expect((await failureOf(inferItems({}, undefined, by).answer)).code).toBe(status.UNAUTHENTICATED);
    expect((await failureOf(inferItems({}, withToken('wrong'), by).answer)).code).toBe(status.UNAUTHENTICATED);
    expect((await failureOf(ask(method.modelMetadata, { name: 'feed' }, undefined, by))).code).toBe(status.UNAUTHENTICATED);
    expect(unscored).toEqual(['oip-grpc unauthorized  ', 'oip-grpc unauthorized  ']);
    await inferItems({}, withToken('right'), by).answer;
    await ask(method.serverLive, {}, undefined, by);
    await ask(Health.method.check, {}, undefined, by);
    by.close();
    await guarded.close(1000);
  });

  it('speaks TLS', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'onefold-tls-'));
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name)) as [string, string];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const secure = await start({ tls: { key: readFileSync(key), cert: readFileSync(cert) } });
    const [trusting, plain] = [connect(secure, credentials.createSsl(readFileSync(cert))), connect(secure)];
    expect(await ask(method.serverLive, {}, undefined, trusting)).toMatchObject({ live: true });
    expect((await failureOf(inferItems({ deadline: Date.now() + 2000 }, undefined, plain).answer)).code).not.toBe(status.OK);
    trusting.close();
    plain.close();
    await secure.close(1000);
    rmSync(directory, { recursive: true });
  });

  it('answers what it has taken on before it closes, and nothing after', async () => {
    let open = (): void => undefined;
    scorer.gate = new Promise((resolve) => (open = resolve));
    const draining = await start();
    const by = connect(draining);
    const { answer } = inferItems({}, undefined, by);
    await expect.poll(() => scorer.seen.length).toBe(1);
    const closed = draining.close(10_000);
    open();
    expect((await answer).length).toBeGreaterThan(0);
    await closed;
    expect((await failureOf(inferItems({ deadline: Date.now() + 1000 }, undefined, by).answer)).code).toBe(status.UNAVAILABLE);
    by.close();
  });

  it('ends what takes longer than the grace', async () => {
    scorer.gate = new Promise(() => undefined);
    const draining = await start();
    const by = connect(draining);
    const failure = failureOf(inferItems({}, undefined, by).answer);
    await expect.poll(() => scorer.seen.length).toBe(1);
    const started = performance.now();
    await draining.close(200);
    expect(performance.now() - started).toBeLessThan(2000);
    expect([status.UNAVAILABLE, status.CANCELLED, status.INTERNAL]).toContain((await failure).code);
    by.close();
  });

  it('says so when it cannot listen', async () => {
    await expect(start({ port: server.port })).rejects.toThrow(IoError);
  });
});
