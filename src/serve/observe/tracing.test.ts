import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UsageError } from '../../config/errors.js';
import { RequestError } from '../request-error.js';
import { createTracing, NO_TRACING, type Tracing, type TracingOptions } from './tracing.js';

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code: number; readonly message?: string };
}

interface Sent {
  readonly resourceSpans: readonly { readonly resource: { readonly attributes: readonly Attribute[] }; readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[] }[];
}

/** A collector as OTLP over HTTP describes it. */
let collector: FastifyInstance;
let endpoint: string;
let received: { readonly url: string; readonly headers: Readonly<Record<string, unknown>>; readonly body: Sent }[];
let tracing: Tracing;
beforeEach(async () => {
  received = [];
  tracing = NO_TRACING;
  collector = fastify();
  collector.post('*', (request) => {
    received.push({ url: request.url, headers: request.headers, body: request.body as Sent });
    return { partialSuccess: {} };
  });
  endpoint = await collector.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await tracing.close();
  await collector.close();
});

const start = async (options: Partial<TracingOptions> = {}): Promise<Tracing> => {
  tracing = await createTracing({ endpoint, sampleRatio: 1, serviceName: 'onefold', version: '1.2.3', ...options });
  return tracing;
};

/** Spans by name, all that were sent once tracing has ended. */
const sent = async (): Promise<ReadonlyMap<string, SentSpan>> => {
  await tracing.close();
  const spans = received.flatMap(({ body }) => body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
  return new Map(spans.map((span) => [span.name, span]));
};

const attribute = (attributes: readonly Attribute[], key: string): unknown => Object.values(attributes.find((one) => one.key === key)?.value ?? {})[0];

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const traceparent = (flags: string): Record<string, string> => ({ traceparent: `00-${TRACE_ID}-b7ad6b7169203331-${flags}` });

const yieldOnce = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a request is a span with its parts below it, in the trace of whoever called', async () => {
  const { withSpan, record } = await start();
  const results = await withSpan('score', { surface: 'search', candidates: 200 }, traceparent('01'), async (span) => {
    await withSpan('features', {}, undefined, yieldOnce);
    const queued = performance.now();
    await yieldOnce();
    record('queue', { from: queued - 5, to: queued }, { requests: 2 });
    await withSpan('run', {}, undefined, yieldOnce);
    span.set({ version: 'v1' });
    return span.traceId;
  });
  expect(results).toBe(TRACE_ID);
  const spans = await sent();
  const score = spans.get('score')!;
  expect(score).toMatchObject({ traceId: TRACE_ID, parentSpanId: 'b7ad6b7169203331', kind: 2, status: { code: 0 } });
  expect(attribute(score.attributes, 'surface')).toBe('search');
  expect(attribute(score.attributes, 'candidates')).toBe(200);
  expect(attribute(score.attributes, 'version')).toBe('v1');
  for (const name of ['features', 'queue', 'run']) expect(spans.get(name)).toMatchObject({ traceId: TRACE_ID, parentSpanId: score.spanId, kind: 1 });
  const queue = spans.get('queue')!;
  expect(Number(BigInt(queue.endTimeUnixNano) - BigInt(queue.startTimeUnixNano)) / 1e6).toBeCloseTo(5, 1);
  expect(Math.abs(Number(BigInt(queue.endTimeUnixNano) / 1_000_000n) - Date.now())).toBeLessThan(10_000);
  const [first] = received;
  expect(first?.url).toBe('/v1/traces');
  const resource = first!.body.resourceSpans[0]!.resource.attributes;
  expect(attribute(resource, 'service.name')).toBe('onefold');
  expect(attribute(resource, 'service.version')).toBe('1.2.3');
});

test('requests at the same time do not mix', async () => {
  const { withSpan } = await start();
  await Promise.all([0, 1, 2].map((request) => withSpan(`score ${request}`, {}, undefined, async () => {
    await yieldOnce();
    await withSpan(`run ${request}`, {}, undefined, yieldOnce);
  })));
  const spans = await sent();
  expect(new Set([0, 1, 2].map((request) => spans.get(`score ${request}`)!.traceId)).size).toBe(3);
  for (const request of [0, 1, 2]) expect(spans.get(`run ${request}`)!.parentSpanId).toBe(spans.get(`score ${request}`)!.spanId);
});

test('errors pass; the span has the code, is failed only for what is ours, and quotes nothing', async () => {
  const { withSpan } = await start();
  const fail = (name: string, error: Error): Promise<void> => expect(withSpan(name, {}, undefined, () => Promise.reject(error))).rejects.toBe(error);
  await fail('theirs', new RequestError('invalid', '"s3cret" is no number'));
  await fail('late', new RequestError('deadline', 'too late'));
  await fail('defect', new TypeError('s3cret'));
  const spans = await sent();
  expect([spans.get('theirs')!, spans.get('late')!, spans.get('defect')!].map(({ attributes, status }) => [attribute(attributes, 'error.type'), status.code])).toEqual([['invalid', 0], ['deadline', 2], ['internal', 2]]);
  expect(JSON.stringify(received)).not.toContain('s3cret');
});

test('whoever called decides whether it is traced; else the sample does', async () => {
  const { withSpan } = await start({ sampleRatio: 0 });
  await withSpan('sampled by the caller', {}, traceparent('01'), yieldOnce);
  const traceId = await withSpan('not sampled', {}, undefined, async (span) => {
    await yieldOnce();
    return span.traceId;
  });
  await withSpan('broken header', {}, { traceparent: '00-zz-01' }, yieldOnce);
  expect(traceId).toBeUndefined();
  expect([...(await sent()).keys()]).toEqual(['sampled by the caller']);
});

test('a caller that does not trace is not traced', async () => {
  const { withSpan } = await start();
  await withSpan('score', {}, traceparent('00'), yieldOnce);
  expect(await sent()).toEqual(new Map());
});

test('metadata of gRPC names the caller too', async () => {
  const { withSpan } = await start();
  await withSpan('score', {}, { traceparent: Buffer.from(traceparent('01')['traceparent']!) }, yieldOnce);
  expect((await sent()).get('score')!.traceId).toBe(TRACE_ID);
});

test("OpenTelemetry's own variables hold", async () => {
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint);
  vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'x-team=ads');
  vi.stubEnv('OTEL_SERVICE_NAME', 'scorer');
  vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=test');
  vi.stubEnv('OTEL_TRACES_SAMPLER', 'always_on');
  const { withSpan } = await start({ endpoint: undefined, sampleRatio: 0 });
  await withSpan('score', {}, undefined, yieldOnce);
  expect((await sent()).has('score')).toBe(true);
  expect(received[0]).toMatchObject({ url: '/v1/traces', headers: { 'x-team': 'ads' } });
  const resource = received[0]!.body.resourceSpans[0]!.resource.attributes;
  expect(attribute(resource, 'service.name')).toBe('scorer');
  expect(attribute(resource, 'deployment.environment.name')).toBe('test');
});

test('off without an endpoint, or where the environment says so', async () => {
  expect(await createTracing({ endpoint: undefined, sampleRatio: 1, serviceName: 'onefold', version: '1' })).toBe(NO_TRACING);
  vi.stubEnv('OTEL_SDK_DISABLED', 'true');
  expect(await createTracing({ endpoint, sampleRatio: 1, serviceName: 'onefold', version: '1' })).toBe(NO_TRACING);
  expect(await NO_TRACING.withSpan('score', {}, undefined, (span) => Promise.resolve(span.traceId))).toBeUndefined();
});

test('a collector that is not there keeps nobody from ending', async () => {
  await collector.close();
  const { withSpan, close } = await start();
  await withSpan('score', {}, undefined, yieldOnce);
  const started = performance.now();
  await close();
  expect(performance.now() - started).toBeLessThan(5000);
});

test('a collector that takes no spans is told of', async () => {
  const refusing = fastify();
  refusing.post('*', (_, reply) => reply.code(400).send('no'));
  const problems: string[] = [];
  const { withSpan, close } = await start({ endpoint: await refusing.listen({ host: '127.0.0.1', port: 0 }), onProblem: (message) => problems.push(message) });
  await withSpan('score', {}, undefined, yieldOnce);
  await close();
  await refusing.close();
  expect(problems.join()).toMatch(/not sent: .*Bad Request/u);
});

test.each([{ endpoint: 'collector:4318' }, { endpoint: 'grpc://x' }, { endpoint: '' }, { sampleRatio: 2 }, { sampleRatio: NaN }])('refuses %j', async (options) => {
  await expect(start(options)).rejects.toBeInstanceOf(UsageError);
});
