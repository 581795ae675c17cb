/** What the protocol tells of the server and its models: loaded versions of surfaces. */
import type { RawInput, Scorer } from '../raw-request.js';
import { SPECIAL } from './call-rows.js';
import { findSurface } from './score-call.js';
import type { Datatype } from './tensors.js';

export const SERVER_NAME = 'onefold';
export const EXTENSIONS: readonly string[] = ['binary_tensor_data', 'parameters'];

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  /** Of one request; −1 is any number of candidates, or of elements of a list. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** A loaded version as the repository index lists it. */
export interface ModelIndex {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'UNAVAILABLE';
  readonly reason: string;
}

const isEventTime = ({ name, sequence }: RawInput): boolean => sequence !== undefined && name === `${sequence}.@time`;

const metadataOf = (input: RawInput): TensorMetadata => {
  const rows = input.side === 'request' ? 1 : -1;
  const elements = input.form === 'scalar' ? [] : [input.form === 'list' ? -1 : input.form.vector];
  const datatype = input.type === 'text' ? 'BYTES' : isEventTime(input) ? 'INT64' : 'FP64';
  return { name: input.name, datatype, shape: [rows, ...elements] };
};

const SPECIAL_INPUTS: readonly TensorMetadata[] = [
  { name: SPECIAL.viewType, datatype: 'BYTES', shape: [1] },
  { name: SPECIAL.time, datatype: 'INT64', shape: [1] },
  { name: SPECIAL.userId, datatype: 'BYTES', shape: [1] },
  { name: SPECIAL.requestId, datatype: 'BYTES', shape: [1] },
  { name: SPECIAL.itemId, datatype: 'BYTES', shape: [-1] },
];

/**
 * Inputs and outputs of a version; every input may be left out.
 *
 * @throws RequestError `not_found`
 */
export const describeModel = (scorer: Scorer, model: string, version: string | undefined): ModelMetadata => {
  const { surface, inputs, tasks } = findSurface(scorer, model, version);
  return {
    name: surface,
    versions: scorer.surfaces().flatMap((one) => (one.surface === surface ? [one.version] : [])),
    platform: 'onefold_onnx',
    inputs: [...inputs.map(metadataOf), ...SPECIAL_INPUTS],
    outputs: tasks.map((name) => ({ name, datatype: 'FP32', shape: [-1] })),
  };
};

/** @param onlyReady leaves out those that cannot score now */
export const indexModels = (scorer: Scorer, onlyReady: boolean): readonly ModelIndex[] => {
  const state = scorer.isReady ? ({ state: 'READY', reason: '' } as const) : ({ state: 'UNAVAILABLE', reason: 'the server is not ready' } as const);
  return onlyReady && !scorer.isReady ? [] : scorer.surfaces().map(({ surface, version }) => ({ name: surface, version, ...state }));
};
