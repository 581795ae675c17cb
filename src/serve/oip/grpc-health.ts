/** The gRPC health checking protocol: asked once, or watched. */
import { create, toBinary } from '@bufbuild/protobuf';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { RequestError } from '../request-error.js';
import type { Readiness } from '../readiness.js';
import { bufferOf, bytesMethod, decode, unaryEndpoint, type Endpoint, type EndpointContext } from './grpc-endpoint.js';
import { Health, HealthCheckRequestSchema, HealthCheckResponse_ServingStatus as Serving, HealthCheckResponseSchema } from './health_pb.js';
import { GRPCInferenceService } from './open_inference_pb.js';

type WatchCall = ServerWritableStream<Buffer, Buffer>;

/** Empty: the server as a whole. */
const isKnown = (service: string): boolean => service === '' || service === GRPCInferenceService.typeName;

/** Health of a server; needs no token. */
export class GrpcHealth {
  readonly #readiness: Readiness;
  readonly #watching = new Set<WatchCall>();

  constructor(readiness: Readiness) {
    this.#readiness = readiness;
  }

  endpoints(context: EndpointContext): Readonly<Record<string, Endpoint>> {
    return {
      Check: unaryEndpoint(Health.method.check, context, true, ({ service }) => {
        if (!isKnown(service)) throw new RequestError('not_found', `there is no service "${service}"`, { expected: GRPCInferenceService.typeName });
        return create(HealthCheckResponseSchema, { status: this.#status });
      }),
      Watch: {
        definition: bytesMethod(Health.method.watch),
        handle: (call: WatchCall) => {
          this.#watch(call);
        },
      },
    };
  }

  /** Ends what is watched, which would keep the server from ending. */
  close(): void {
    for (const call of this.#watching) call.emit('error', { code: status.UNAVAILABLE, details: 'the server went down' });
  }

  get #status(): Serving {
    return this.#readiness.isReady ? Serving.SERVING : Serving.NOT_SERVING;
  }

  #watch(call: WatchCall): void {
    let service: string;
    try {
      ({ service } = decode(HealthCheckRequestSchema, call.request));
    } catch (error) {
      call.emit('error', { code: status.INVALID_ARGUMENT, details: (error as Error).message });
      return;
    }
    const send = (): void => {
      // A service may come to be later, says the protocol: the call stays open.
      call.write(bufferOf(toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: isKnown(service) ? this.#status : Serving.SERVICE_UNKNOWN }))));
    };
    this.#watching.add(call);
    const endWatch = this.#readiness.onChange(send);
    call.once('close', () => {
      endWatch();
      this.#watching.delete(call);
    });
    send();
  }
}
