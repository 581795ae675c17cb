/** Traces of requests, for whoever collects OpenTelemetry; without an endpoint there are none, and they cost nothing. */

/** Values that a span carries: names and counts, never features. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Headers or metadata that may name the caller's span (W3C `traceparent`, `tracestate`). */
export type TraceHeaders = Readonly<Record<string, string | readonly string[] | Buffer | undefined>>;

/** A span that is running. */
export interface TraceSpan {
  /** For logs; undefined where it is not recorded. */
  readonly traceId: string | undefined;
  set(attributes: SpanAttributes): void;
}

export interface Tracing {
  /**
   * Runs `fn` in a span: a child of the span it is called in; else of the caller's, where its headers name one; else the first
   * of a trace. A span whose `fn` throws has the error's code.
   */
  withSpan<T>(name: string, attributes: SpanAttributes, parentHeaders: TraceHeaders | undefined, fn: (span: TraceSpan) => Promise<T>): Promise<T>;
  /** Adds a child, measured elsewhere, to the span it is called in. Times are of `performance.now()`. */
  record(name: string, times: { readonly from: number; readonly to: number }, attributes?: SpanAttributes): void;
  /** Sends what is left; gives up on a collector that does not take it. */
  close(): Promise<void>;
}

export interface TracingOptions {
  /** Of an OTLP/HTTP collector, e.g. `http://127.0.0.1:4318`; without a path, `/v1/traces` is added. */
  readonly endpoint: string | undefined;
  /** Share of traces that is kept, 0 to 1, where the caller has not decided. */
  readonly sampleRatio: number;
  readonly serviceName: string;
  readonly version: string;
  /** Told when spans cannot be sent. */
  readonly onProblem?: (message: string) => void;
}

const NO_SPAN: TraceSpan = { traceId: undefined, set: () => undefined };

/** Traces nothing. */
export const NO_TRACING: Tracing = {
  withSpan: (_name, _attributes, _parentHeaders, fn) => fn(NO_SPAN),
  record: () => undefined,
  close: () => Promise.resolve(),
};

const given = (name: string): string | undefined => {
  const value = process.env[name]?.trim();
  return value === undefined || value === '' ? undefined : value;
};

/** Whether the environment asks for no traces (OpenTelemetry's own variables). */
const isOff = (): boolean => given('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || given('OTEL_TRACES_EXPORTER') === 'none';

/**
 * Traces to the endpoint, or to that of `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`. The other standard
 * variables hold too: headers, timeouts and certificates of the exporter, resource attributes, sampler, batching, limits.
 *
 * @throws UsageError when the endpoint is no URL, or the ratio is not 0 to 1
 */
export const createTracing = async (options: TracingOptions): Promise<Tracing> => {
  const isWanted = options.endpoint !== undefined || given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== undefined || given('OTEL_EXPORTER_OTLP_ENDPOINT') !== undefined;
  if (!isWanted || isOff()) return NO_TRACING;
  // The SDK is loaded by those who trace only: it would double the time to start.
  const { openOtlpTracing } = await import('./otlp-tracing.js');
  return openOtlpTracing(options);
};
