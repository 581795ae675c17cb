/** The gRPC side of the Open Inference Protocol, with the gRPC health checking protocol. */
import { create } from '@bufbuild/protobuf';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { performance } from 'node:perf_hooks';
import { IoError } from '../../config/errors.js';
import type { Tls } from '../http/read-tls.js';
import type { Scorer } from '../raw-request.js';
import { Readiness } from '../readiness.js';
import type { Unscored } from '../unscored.js';
import { describeModel, EXTENSIONS, indexModels, SERVER_NAME, type TensorMetadata } from './describe-models.js';
import { unaryEndpoint, type BytesCall, type Endpoint, type EndpointContext } from './grpc-endpoint.js';
import { GrpcHealth } from './grpc-health.js';
import { readGrpcInfer, writeGrpcAnswer } from './grpc-infer.js';
import type { InferCall } from './infer-call.js';
import {
  GRPCInferenceService,
  ModelMetadataResponseSchema,
  ModelReadyResponseSchema,
  RepositoryIndexResponseSchema,
  ServerLiveResponseSchema,
  ServerMetadataResponseSchema,
  ServerReadyResponseSchema,
} from './open_inference_pb.js';
import { findSurface, readCall, scoreCall } from './score-call.js';
import type { CallContext } from './to-raw-requests.js';

export interface GrpcOptions {
  readonly scorer: Scorer;
  /** What health tells; left out: whether the scorer is ready. */
  readonly readiness?: Readiness;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly maxMessageBytes: number;
  readonly maxCandidates: number;
  readonly maxQueue?: number;
  readonly serverVersion: string;
  readonly unscored: Unscored;
  /** Whether an `authorization` value may pass; left out: everyone may. Health needs none. */
  readonly authorize?: (authorization: string | undefined) => boolean;
  readonly tls?: Tls;
  /** A defect of ours. */
  readonly onDefect?: (error: unknown) => void;
}

export interface GrpcServer {
  readonly port: number;
  /** Takes on nothing more, waits for what was taken on, and ends the rest after the grace. */
  close(graceMs: number): Promise<void>;
}

/**
 * gRPC itself takes messages this many times as large as are allowed: those are refused where they are counted and logged. What is
 * larger still gRPC refuses before anyone is told of it.
 */
const TOLD_OF = 2;

/** What answers that are on their way get when the server is forced to end. */
const AFTER_FORCE_MS = 200;

/** An empty version is none. */
const versionOf = (version: string): string | undefined => (version === '' ? undefined : version);

const inInt64 = ({ shape, ...rest }: TensorMetadata): { readonly name: string; readonly datatype: string; readonly shape: bigint[] } => ({ ...rest, shape: shape.map(BigInt) });

/** The call's own deadline, or gRPC's where that is sooner. */
const withDeadline = (call: InferCall, grpc: BytesCall): InferCall => {
  const given = grpc.getDeadline();
  const left = (given instanceof Date ? given.getTime() : given) - Date.now();
  return Number.isFinite(left) ? { ...call, deadline: Math.min(call.deadline ?? Infinity, performance.now() + left) } : call;
};

const goneSignal = (call: BytesCall): AbortSignal => {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  call.once('cancelled', () => {
    controller.abort();
  });
  return controller.signal;
};

const traceOf = ({ metadata }: BytesCall): CallContext['trace'] => Object.fromEntries(['traceparent', 'tracestate'].map((name) => [name, metadata.get(name)[0]]));

const inferenceEndpoints = (options: GrpcOptions, context: EndpointContext): Readonly<Record<string, Endpoint>> => {
  const { scorer, serverVersion, unscored } = options;
  const { method } = GRPCInferenceService;
  return {
    ServerLive: unaryEndpoint(method.serverLive, context, true, () => create(ServerLiveResponseSchema, { live: true })),
    ServerReady: unaryEndpoint(method.serverReady, context, true, () => create(ServerReadyResponseSchema, { ready: scorer.isReady })),
    ModelReady: unaryEndpoint(method.modelReady, context, false, ({ name, version }) => {
      findSurface(scorer, name, versionOf(version));
      return create(ModelReadyResponseSchema, { ready: scorer.isReady });
    }),
    ServerMetadata: unaryEndpoint(method.serverMetadata, context, false, () => create(ServerMetadataResponseSchema, { name: SERVER_NAME, version: serverVersion, extensions: [...EXTENSIONS] })),
    ModelMetadata: unaryEndpoint(method.modelMetadata, context, false, ({ name, version }) => {
      const model = describeModel(scorer, name, versionOf(version));
      return create(ModelMetadataResponseSchema, { ...model, versions: [...model.versions], inputs: model.inputs.map(inInt64), outputs: model.outputs.map(inInt64) });
    }),
    ModelInfer: unaryEndpoint(
      method.modelInfer,
      context,
      false,
      async (message, grpc, arrived) => {
        unscored.named(grpc, { surface: message.modelName, version: versionOf(message.modelVersion), requestId: message.id === '' ? undefined : message.id });
        const read = readCall(scorer, withDeadline(readGrpcInfer(message), grpc), options, { signal: goneSignal(grpc), trace: traceOf(grpc), arrived });
        unscored.reached(grpc);
        return writeGrpcAnswer(await scoreCall(scorer, read), message.rawInputContents.length > 0);
      },
      (grpc, error, milliseconds) => {
        unscored.failed(grpc, { protocol: 'oip-grpc', error, milliseconds });
      },
    ),
    RepositoryIndex: unaryEndpoint(method.repositoryIndex, context, false, ({ ready }) => create(RepositoryIndexResponseSchema, { models: [...indexModels(scorer, ready)] })),
  };
};

const addService = (server: Server, endpoints: Readonly<Record<string, Endpoint>>): void => {
  const pick = <K extends keyof Endpoint>(key: K): Record<string, Endpoint[K]> => Object.fromEntries(Object.entries(endpoints).map(([name, endpoint]) => [name, endpoint[key]]));
  server.addService(pick('definition'), pick('handle'));
};

const bind = (server: Server, { host, port, tls }: GrpcOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const credentials = tls === undefined ? ServerCredentials.createInsecure() : ServerCredentials.createSsl(tls.clientCa ?? null, [{ cert_chain: tls.cert, private_key: tls.key }], tls.clientCa !== undefined);
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(new IoError(`gRPC cannot listen at ${address}: ${error.message}`, { where: address, expected: 'an address of this machine with a free port', fix: 'choose another port, or end what listens there', cause: error }));
    });
  });

/** @throws IoError when it cannot listen at the address */
export const startGrpc = async (options: GrpcOptions): Promise<GrpcServer> => {
  const server = new Server({ 'grpc.max_receive_message_length': Math.min(TOLD_OF * options.maxMessageBytes, 2 ** 31 - 1), 'grpc.max_send_message_length': -1 });
  const context: EndpointContext = { authorize: options.authorize ?? (() => true), maxMessageBytes: options.maxMessageBytes, onDefect: options.onDefect ?? (() => undefined) };
  addService(server, inferenceEndpoints(options, context));
  const health = new GrpcHealth(options.readiness ?? new Readiness(() => options.scorer.isReady));
  addService(server, health.endpoints(context));
  const port = await bind(server, options);
  return {
    port,
    close: (graceMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => {
          server.forceShutdown();
          // It waits for peers to close their ends, which those that hang never do.
          setTimeout(resolve, AFTER_FORCE_MS);
        }, graceMs);
        health.close();
        server.tryShutdown(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
};
