/** The ways a server can be asked: each sends a held-out request and gives the scores by task. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { ModelInferRequestSchema, ModelInferResponseSchema } from '../../src/serve/oip/open_inference_pb.js';
import type { RawInput } from '../../src/serve/raw-request.js';
import { binaryBody, callTensors, tensorBytes } from './oip-tensors.js';
import type { RunningServer } from './running-server.js';
import { post, scoreBody } from './score-client.js';
import type { GoldenRequest } from './served-shop.js';

export type Scores = Readonly<Record<string, readonly number[]>>;

/** Asks for one request's scores. */
export type Ask = (request: GoldenRequest) => Promise<Scores>;

interface TensorAnswer {
  readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
}

const floatsOf = (bytes: Uint8Array): readonly number[] => [...new Float32Array(Uint8Array.from(bytes).buffer)];

const failed = (status: number, body: unknown): Error => new Error(`${status}: ${JSON.stringify(body)}`);

/** Every protocol of a server, by name. */
export const protocolsOf = (server: RunningServer, surface: string, inputs: readonly RawInput[]): { readonly asks: Readonly<Record<string, Ask>>; readonly close: () => void } => {
  const infer = `${server.http}/v2/models/${surface}/infer`;
  const client = new Client(server.grpc, credentials.createInsecure());
  const json: Ask = async (request) => {
    const { status, body } = await post(`${server.http}/v1/score`, scoreBody(surface, request, inputs));
    if (status !== 200) throw failed(status, body);
    return body.scores;
  };
  const oipJson: Ask = async (request) => {
    const response = await fetch(infer, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ inputs: callTensors([request], inputs) }) });
    const body = (await response.json()) as TensorAnswer;
    if (!response.ok) throw failed(response.status, body);
    return Object.fromEntries(body.outputs.map(({ name, data }) => [name, data]));
  };
  const oipBinary: Ask = async (request) => {
    const { payload, headers } = binaryBody(callTensors([request], inputs, false), { parameters: { binary_data_output: true } });
    const response = await fetch(infer, { method: 'POST', headers, body: new Uint8Array(payload) });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (!response.ok) throw failed(response.status, bytes.toString());
    const length = Number(response.headers.get('inference-header-content-length'));
    const head = JSON.parse(bytes.subarray(0, length).toString()) as { readonly outputs: readonly { readonly name: string; readonly parameters: { readonly binary_data_size: number } }[] };
    let at = length;
    return Object.fromEntries(
      head.outputs.map(({ name, parameters }) => {
        at += parameters.binary_data_size;
        return [name, floatsOf(bytes.subarray(at - parameters.binary_data_size, at))];
      }),
    );
  };
  const grpc: Ask = async (request) => {
    const tensors = callTensors([request], inputs, false);
    const message = create(ModelInferRequestSchema, {
      modelName: surface,
      inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(BigInt) })),
      rawInputContents: tensors.map((tensor) => new Uint8Array(tensorBytes(tensor))),
    });
    const answer = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest<Buffer, Buffer>('/inference.GRPCInferenceService/ModelInfer', (bytes) => bytes, (bytes) => bytes, Buffer.from(toBinary(ModelInferRequestSchema, message)), (error, value) => {
        if (error === null) resolve(value!);
        else reject(error);
      });
    });
    const { outputs, rawOutputContents } = fromBinary(ModelInferResponseSchema, answer);
    return Object.fromEntries(outputs.map(({ name }, index) => [name, floatsOf(rawOutputContents[index]!)]));
  };
  return {
    asks: { json, oipJson, oipBinary, grpc },
    close: () => {
      client.close();
    },
  };
};
