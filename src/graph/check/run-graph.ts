/** Runs symbolic graphs with ONNX Runtime: for tests and for trying things out, not for training. */
import { InferenceSession, Tensor as Value } from 'onnxruntime-node';
import { GraphError } from '../errors.js';
import { toOnnx } from '../onnx/emit.js';
import type { EmitOptions } from '../onnx/emit.js';
import type { DType, Tensor } from '../tensor.js';

/** Numbers of one tensor and its shape. */
export interface Numbers {
  readonly values: readonly number[];
  readonly shape: readonly number[];
}

/** Numbers by input name. */
export type Feeds = Readonly<Record<string, Numbers & { readonly dtype: DType }>>;

/** How ONNX Runtime runs it. */
export interface RunOptions extends Pick<EmitOptions, 'initializers' | 'allowContrib'> {
  readonly level?: 'disabled' | 'basic' | 'extended' | 'all';
  readonly threads?: number;
}

/** A loaded graph. */
export interface LoadedGraph {
  readonly inputNames: readonly string[];
  /** Runs it; only the outputs asked for are computed (default: all). */
  run(feeds: Feeds, outputs?: readonly string[]): Promise<Record<string, Numbers>>;
}

const toValue = ({ dtype, values, shape }: Numbers & { readonly dtype: DType }): Value => {
  switch (dtype) {
    case 'float32':
      return new Value('float32', Float32Array.from(values), shape);
    case 'float64':
      return new Value('float64', Float64Array.from(values), shape);
    case 'int64':
      return new Value('int64', BigInt64Array.from(values, (value) => BigInt(value)), shape);
    case 'int32':
      return new Value('int32', Int32Array.from(values), shape);
    case 'bool':
      return new Value('bool', Uint8Array.from(values), shape);
  }
};

const toNumbers = (value: Value): Numbers => ({
  values: Array.from(value.data as ArrayLike<number | bigint>, Number),
  shape: value.dims,
});

/** Wraps a session; feeds that the graph does not have are left out. */
export const wrapSession = (session: InferenceSession): LoadedGraph => ({
  inputNames: session.inputNames,
  run: async (feeds, outputs = session.outputNames) => {
    const values = session.inputNames.map((name): [string, Value] => {
      const numbers = feeds[name];
      if (numbers === undefined) throw new GraphError('name', `input ${name} is not fed`);
      return [name, toValue(numbers)];
    });
    const results = await session.run(Object.fromEntries(values), [...outputs]);
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, toNumbers(value)]));
  },
});

/** Emits and loads a graph. */
export const loadGraph = async (outputs: Readonly<Record<string, Tensor>>, options: RunOptions = {}): Promise<LoadedGraph> => {
  const { level = 'all', threads = 1, ...emission } = options;
  const session = await InferenceSession.create(toOnnx({ name: 'graph', outputs, ...emission }), {
    graphOptimizationLevel: level,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return wrapSession(session);
};
