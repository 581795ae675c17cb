/** Traces that OpenTelemetry's SDK samples, batches and sends. */
import { diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type DiagLogger, type Span } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, ParentBasedSampler, TraceIdRatioBasedSampler, type Sampler } from '@opentelemetry/sdk-trace-node';
import { AsyncLocalStorage } from 'node:async_hooks';
import { UsageError } from '../../config/errors.js';
import { RequestError, type RequestErrorCode } from '../request-error.js';
import type { SpanAttributes, TraceHeaders, TraceSpan, Tracing, TracingOptions } from './tracing.js';

/** Closing waits this long for a collector that does not answer. */
const CLOSE_MS = 3000;

/** What clients did is no error of the server (OpenTelemetry's conventions for servers). */
const SERVER_FAULTS: ReadonlySet<RequestErrorCode> = new Set(['overloaded', 'unavailable', 'deadline', 'internal']);

const endpointUrl = (endpoint: string): string => {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/u.test(url.protocol)) {
    throw new UsageError(`"${endpoint}" is no endpoint for traces`, { where: '--trace-endpoint', expected: 'a URL of http or https', fix: 'e.g. http://127.0.0.1:4318' });
  }
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
};

const samplerOf = (ratio: number): Sampler => {
  if (!(ratio >= 0 && ratio <= 1)) throw new UsageError(`${String(ratio)} is no share of traces`, { where: '--trace-sample', expected: 'a number from 0 to 1', fix: 'e.g. 0.01' });
  return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
};

const headerText = (value: TraceHeaders[string]): string | undefined => (value === undefined ? undefined : String(Array.isArray(value) ? value[0] : value));

const HEADERS = { get: (headers: TraceHeaders, key: string) => headerText(headers[key]), keys: (headers: TraceHeaders) => Object.keys(headers) };

const propagator = new W3CTraceContextPropagator();

/** Only the error's code is told: its message may quote what the client sent. */
const fail = (span: Span, error: unknown): void => {
  const code: RequestErrorCode = error instanceof RequestError ? error.code : 'internal';
  span.setAttribute('error.type', code);
  if (SERVER_FAULTS.has(code)) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
};

const handleOf = (span: Span): TraceSpan => ({
  traceId: span.isRecording() ? span.spanContext().traceId : undefined,
  set: (attributes) => {
    span.setAttributes(attributes);
  },
});

const tellProblems = (onProblem: (message: string) => void): void => {
  const tell = (message: string): void => {
    onProblem(message);
  };
  const ignore = (): void => undefined;
  const logger: DiagLogger = { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
};

const newProvider = ({ endpoint, sampleRatio, serviceName, version }: TracingOptions): NodeTracerProvider => {
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }))
    .merge(detectResources({ detectors: [envDetector] }));
  const sampler = samplerOf(sampleRatio);
  return new NodeTracerProvider({
    resource,
    // Without one, the SDK builds that of OTEL_TRACES_SAMPLER.
    ...((process.env['OTEL_TRACES_SAMPLER'] ?? '') === '' ? { sampler } : {}),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(endpoint === undefined ? {} : { url: endpointUrl(endpoint) }))],
  });
};

/** A collector that takes nothing is no reason not to end. */
const endProvider = async (provider: NodeTracerProvider, onProblem: ((message: string) => void) | undefined): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS, 'no answer in time');
  });
  const ended = provider.shutdown().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const problem = await Promise.race([ended, late]);
  clearTimeout(timer);
  if (problem !== undefined) onProblem?.(`the last spans were not sent: ${problem}`);
};

/** @throws UsageError as `createTracing` */
export const openOtlpTracing = (options: TracingOptions): Tracing => {
  if (options.onProblem !== undefined) tellProblems(options.onProblem);
  const provider = newProvider(options);
  const tracer = provider.getTracer(options.serviceName, options.version);
  // Of its own: the process may have a context manager already, if the scorer is used as a library.
  const active = new AsyncLocalStorage<Context>();
  let closing: Promise<void> | undefined;
  const parentOf = (headers: TraceHeaders | undefined): Context => active.getStore() ?? (headers === undefined ? ROOT_CONTEXT : propagator.extract(ROOT_CONTEXT, headers, HEADERS));
  return {
    withSpan: (name, attributes, parentHeaders, fn) => {
      const parent = parentOf(parentHeaders);
      const kind = active.getStore() === undefined ? SpanKind.SERVER : SpanKind.INTERNAL;
      const span = tracer.startSpan(name, { attributes: { ...attributes }, kind }, parent);
      return active.run(trace.setSpan(parent, span), async () => {
        try {
          return await fn(handleOf(span));
        } catch (error) {
          fail(span, error);
          throw error;
        } finally {
          span.end();
        }
      });
    },
    record: (name: string, { from, to }, attributes: SpanAttributes = {}) => {
      const parent = active.getStore();
      if (parent === undefined) return;
      // The clocks drift apart while a process runs: the start of the process says nothing about now.
      const epoch = Date.now() - performance.now();
      tracer.startSpan(name, { attributes: { ...attributes }, startTime: epoch + from }, parent).end(epoch + to);
    },
    close: () => {
      closing ??= endProvider(provider, options.onProblem);
      return closing;
    },
  };
};
