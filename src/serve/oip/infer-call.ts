/** An infer call as both transports read it, and its answer. */
import { RequestError } from '../request-error.js';
import type { InputTensor } from './tensors.js';

export interface InferCall {
  /** A surface. */
  readonly model: string;
  /** Left out: the version that serves now. */
  readonly version?: string;
  readonly id?: string;
  readonly inputs: readonly InputTensor[];
  /** Names of tasks; empty: all. */
  readonly outputs: readonly string[];
  /** `performance.now()` after which nobody waits. */
  readonly deadline?: number;
}

/** An FP32 tensor `[candidates]`. */
export interface OutputTensor {
  readonly name: string;
  readonly values: Float32Array;
}

export interface InferAnswer {
  readonly model: string;
  readonly version: string;
  readonly id?: string;
  /** Texts; what is no text is JSON. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly outputs: readonly OutputTensor[];
}

/** Bounds of a call. */
export interface InferLimits {
  /** Candidates of a call, and requests of it. */
  readonly maxCandidates: number;
  /** Requests of a call where fewer are allowed: what may wait at a time. */
  readonly maxQueue?: number;
}

/** Inputs of a call, at most: more than any surface has, their lengths and masks among them. */
export const MOST_INPUTS = 4096;

/** @throws RequestError `too_large` */
export const checkInputs = (count: number): void => {
  if (count > MOST_INPUTS) throw new RequestError('too_large', `the call has ${count} inputs`, { path: 'inputs', expected: `at most ${MOST_INPUTS}` });
};

/** Parameters of inputs and outputs that ask for something this server does not do: ignoring them would give a wrong answer. */
const REFUSED: Readonly<Record<string, string>> = {
  shared_memory_region: 'shared memory is not supported',
  classification: 'classification is not supported: outputs are probabilities',
};

/** @throws RequestError `invalid` naming the first such parameter */
export const refuseParameters = (parameters: Readonly<Record<string, unknown>>, path: string): void => {
  for (const [name, reason] of Object.entries(REFUSED)) {
    if (parameters[name] !== undefined) throw new RequestError('invalid', reason, { path: `${path}.parameters.${name}`, expected: 'none' });
  }
};
