/** gRPC methods over generated messages, with request errors as gRPC statuses. */
import { fromBinary, toBinary, type DescMessage, type DescMethod, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Metadata, status, type MethodDefinition, type sendUnaryData, type ServerUnaryCall, type UntypedHandleCall } from '@grpc/grpc-js';
import { mostBytes } from '../http/send-error.js';
import { defect, RequestError, type RequestErrorCode } from '../request-error.js';
import { explainError } from './explain-error.js';
import { MOST_INPUTS } from './infer-call.js';

/** gRPC status of each code. */
const GRPC_STATUS: Readonly<Record<RequestErrorCode, status>> = {
  invalid: status.INVALID_ARGUMENT,
  not_found: status.NOT_FOUND,
  unauthorized: status.UNAUTHENTICATED,
  too_large: status.RESOURCE_EXHAUSTED,
  overloaded: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  deadline: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
};

/** Bytes in, bytes out: what cannot be decoded is the client's error, where gRPC itself would call it ours. */
export type BytesCall = ServerUnaryCall<Buffer, Buffer>;

/** A method of a service as gRPC wants it. */
export interface Endpoint {
  readonly definition: MethodDefinition<Buffer, Buffer>;
  readonly handle: UntypedHandleCall;
}

/** What is done around every call. */
export interface EndpointContext {
  /** Whether an `authorization` value may pass. */
  readonly authorize: (authorization: string | undefined) => boolean;
  /** Of a request's message, decompressed. */
  readonly maxMessageBytes: number;
  /** A defect of ours. */
  readonly onDefect: (error: unknown) => void;
}

const same = (bytes: Buffer): Buffer => bytes;

export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Fields of a message, at most, each repetition counted: inputs and their raw contents, outputs and parameters. */
const MOST_FIELDS = 3 * MOST_INPUTS;

/** A field takes two bytes, and becomes an object of hundreds: counted before any is made. */
const checkFields = (bytes: Buffer): void => {
  const reader = new BinaryReader(bytes);
  for (let fields = 1; reader.pos < reader.len; fields += 1) {
    if (fields > MOST_FIELDS) throw new RequestError('too_large', 'the message has too many fields', { expected: `at most ${MOST_FIELDS}: inputs, their contents, outputs and parameters` });
    const [field, type] = reader.tag();
    reader.skip(type, field);
  }
};

/** @throws RequestError `invalid` when the bytes are no such message; `too_large` when it has too many fields */
export const decode = <I extends DescMessage>(schema: I, bytes: Buffer): MessageShape<I> => {
  try {
    checkFields(bytes);
    return fromBinary(schema, bytes);
  } catch (cause) {
    if (cause instanceof RequestError) throw cause;
    throw new RequestError('invalid', `the message cannot be read: ${(cause as Error).message}`, { expected: schema.typeName, cause });
  }
};

const toStatus = (error: RequestError): Parameters<sendUnaryData<Buffer>>[0] => {
  const metadata = new Metadata();
  // Clients with a retry policy wait that long.
  if (error.retryAfter !== undefined) metadata.set('grpc-retry-pushback-ms', String(Math.ceil(1000 * error.retryAfter)));
  return { code: GRPC_STATUS[error.code], details: explainError(error), metadata };
};

/** A method that has bytes for messages. */
export const bytesMethod = (method: DescMethod): MethodDefinition<Buffer, Buffer> => ({
  path: `/${method.parent.typeName}/${method.name}`,
  requestStream: false,
  responseStream: method.methodKind === 'server_streaming',
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

/**
 * @param isOpen needs no token: health must be told to whoever runs the server
 * @param answer what it throws becomes the call's status; told of `performance.now()` when the message was there
 * @param failed told of each call that has another status than OK, and after how many milliseconds
 */
export const unaryEndpoint = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  { authorize, maxMessageBytes, onDefect }: EndpointContext,
  isOpen: boolean,
  answer: (request: MessageShape<I>, call: BytesCall, arrived: number) => MessageShape<O> | Promise<MessageShape<O>>,
  failed?: (call: BytesCall, error: RequestError, milliseconds: number) => void,
): Endpoint => {
  const respond = async (call: BytesCall, arrived: number): Promise<Buffer> => {
    const [authorization] = call.metadata.get('authorization');
    if (!isOpen && !authorize(authorization?.toString())) throw new RequestError('unauthorized', 'no token, or a wrong one', { expected: 'authorization: Bearer TOKEN' });
    const { length } = call.request;
    if (length > maxMessageBytes) throw new RequestError('too_large', `the message has ${length} bytes`, { expected: mostBytes({ maxBodyBytes: maxMessageBytes }) });
    return bufferOf(toBinary(method.output, await answer(decode(method.input, call.request), call, arrived)));
  };
  const handle = (call: BytesCall, callback: sendUnaryData<Buffer>): void => {
    const arrived = performance.now();
    respond(call, arrived).then(
      (bytes) => {
        callback(null, bytes);
      },
      (error: unknown) => {
        const known = error instanceof RequestError ? error : defect(error);
        if (known.code === 'internal') onDefect(known.cause ?? known);
        failed?.(call, known, performance.now() - arrived);
        callback(toStatus(known));
      },
    );
  };
  return { definition: bytesMethod(method), handle: handle as UntypedHandleCall };
};
