import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGraph, wrapSession } from '../check/run-graph.js';
import type { Feeds } from '../check/run-graph.js';
import { gradients } from '../gradients.js';
import { constant, input, parameter, scalar } from '../inputs.js';
import { add } from '../ops/add.js';
import { exp } from '../ops/exp.js';
import { gather } from '../ops/gather.js';
import { layerNorm } from '../ops/layer-norm.js';
import { matmul } from '../ops/matmul.js';
import { mul } from '../ops/mul.js';
import { reduceMean } from '../ops/reduce-mean.js';
import { relu } from '../ops/relu.js';
import { sigmoidCrossEntropy } from '../ops/sigmoid-cross-entropy.js';
import type { Tensor } from '../tensor.js';
import { requiredLeaves, toOnnx } from './emit.js';
import type { Initializer } from './initializer.js';
import { ModelProtoSchema } from './onnx_pb.js';

const decode = (bytes: Uint8Array) => fromBinary(ModelProtoSchema, bytes);
const opTypes = (bytes: Uint8Array): string[] => decode(bytes).graph!.node.map((node) => node.opType);

/** A train step of a perceptron of `depth` layers with layer norm: loss and all gradients. */
const perceptron = (depth: number): Record<string, Tensor> => {
  const parameters: Tensor[] = [];
  const learned = (name: string, shape: number[]): Tensor => {
    const tensor = parameter(name, shape);
    parameters.push(tensor);
    return tensor;
  };
  let hidden = input('x', 'float32', ['candidates', 8]);
  for (let layer = 0; layer < depth; layer += 1) {
    const linear = add(matmul(hidden, learned(`weight${layer}`, [8, 8])), learned(`bias${layer}`, [8]));
    hidden = relu(layerNorm(linear, learned(`scale${layer}`, [8]), learned(`shift${layer}`, [8])));
  }
  const logits = matmul(hidden, learned('out', [8, 1]));
  const loss = reduceMean(sigmoidCrossEntropy(logits, input('labels', 'float32', ['candidates', 1])), [0, 1]);
  const derivatives = gradients(loss, parameters);
  return { loss, ...Object.fromEntries(parameters.map((tensor, index) => [`grad.${tensor.name}`, derivatives[index]!])) };
};

describe('toOnnx', () => {
  it('gives the same bytes for a graph built twice', () => {
    const build = (): Uint8Array => toOnnx({ name: 'train', outputs: perceptron(3), allowContrib: true });
    build();
    expect(Buffer.compare(build(), build())).toBe(0);
  });

  it('emits a train graph of more than a thousand nodes in well under a second', () => {
    const timed = (): [number, Uint8Array] => {
      const started = performance.now();
      const bytes = toOnnx({ name: 'train', outputs: perceptron(60), allowContrib: true });
      return [performance.now() - started, bytes];
    };
    const runs = [timed(), timed(), timed()];
    expect(Math.min(...runs.map(([milliseconds]) => milliseconds))).toBeLessThan(1000);
    expect(opTypes(runs[0]![1]).length).toBeGreaterThan(1000);
  });

  it('declares opset, format, name and doc string', () => {
    const model = decode(toOnnx({ name: 'g', outputs: { y: exp(input('x', 'float32', [2])) }, docString: 'what it is' }));
    expect(model).toMatchObject({ irVersion: 9n, producerName: 'onefold', docString: 'what it is', graph: { name: 'g' } });
    expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([['', 20n]]);
  });

  it('uses standard ops alone unless contrib ops are allowed', () => {
    const product = matmul(input('a', 'float32', ['n', 2]), input('b', 'float32', [3, 2]), { transposeB: true });
    expect(opTypes(toOnnx({ name: 'g', outputs: { y: product } }))).toEqual(['Transpose', 'MatMul']);
    const contrib = toOnnx({ name: 'g', outputs: { y: product }, allowContrib: true });
    expect(opTypes(contrib)).toEqual(['FusedMatMul']);
    expect(decode(contrib).opsetImport.map(({ domain }) => domain)).toEqual(['', 'com.microsoft']);
  });

  it('merges equal nodes and constants, and leaves out what no output needs', () => {
    const x = input('x', 'float32', ['n', 2]);
    const unused = exp(input('unused', 'float32', ['n', 2]));
    const twice = add(exp(mul(x, scalar(2))), exp(mul(input('x', 'float32', ['n', 2]), scalar(2))));
    mul(unused, twice);
    const model = decode(toOnnx({ name: 'g', outputs: { y: twice } }));
    expect(model.graph!.node.map((node) => node.opType)).toEqual(['Mul', 'Exp', 'Add']);
    expect(model.graph!.input.map(({ name }) => name)).toEqual(['x']);
    expect(model.graph!.initializer).toHaveLength(1);
  });

  it('keeps constants apart that only look equal', async () => {
    const values = [0, -0, Infinity, -Infinity];
    const outputs = Object.fromEntries(values.map((value, index) => [`y${index}`, mul(input('x', 'float32', [1]), scalar(value))]));
    const results = await (await loadGraph(outputs)).run({ x: { values: [1], shape: [1], dtype: 'float32' } });
    expect(Object.values(results).map((result) => result.values[0])).toEqual(values);
  });

  it('names inputs in the order of first use, with their symbolic dims', () => {
    const [a, b] = [input('a', 'float32', ['requests', 4]), input('b', 'int64', ['candidates'])];
    const outputs = { y: gather(a, b) };
    expect(requiredLeaves(outputs)).toEqual([a, b]);
    const graph = decode(toOnnx({ name: 'g', outputs })).graph!;
    const shapes = [...graph.input, ...graph.output].map(({ name, type }) => {
      const tensor = type!.value;
      return [name, tensor.case === 'tensorType' ? tensor.value.shape!.dim.map((dim) => dim.value.value) : undefined];
    });
    expect(shapes).toEqual([['a', ['requests', 4n]], ['b', ['candidates']], ['y', ['candidates', 4n]]]);
  });

  it('copies an output that is an input, a constant, or another output', async () => {
    const x = input('x', 'float32', [2]);
    const y = exp(x);
    const graph = await loadGraph({ same: x, fixed: constant([1, 2], 'float32', [2]), y, again: y, more: add(y, scalar(1)) });
    const results = await graph.run({ x: { values: [0, 0], shape: [2], dtype: 'float32' } });
    expect(Object.entries(results).map(([name, { values }]) => [name, values])).toEqual([
      ['same', [0, 0]],
      ['fixed', [1, 2]],
      ['y', [1, 1]],
      ['again', [1, 1]],
      ['more', [2, 2]],
    ]);
  });

  it('does not collide with names that look like its own', async () => {
    const outputs = { Exp_0: add(exp(input('Constant_0', 'float32', [1])), scalar(1)) };
    const results = await (await loadGraph(outputs)).run({ Constant_0: { values: [0], shape: [1], dtype: 'float32' } });
    expect(results['Exp_0']!.values).toEqual([2]);
  });

  it('refuses one name for two things', () => {
    const x = input('x', 'float32', ['n']);
    const emit = (outputs: Record<string, Tensor>) => () => toOnnx({ name: 'g', outputs });
    expect(emit({ a: exp(x), b: exp(input('x', 'float32', [3])) })).toThrow(
      'two different tensors are called x: input x: float32 [n] and input x: float32 [3]',
    );
    expect(emit({ a: exp(x), b: exp(parameter('x', [3])) })).toThrow('input x: float32 [n] and parameter x: float32 [3]');
    expect(emit({ x: exp(x) })).toThrow('x is the name of a graph input and of an output');
    expect(emit({})).toThrow('graph g has no outputs');
  });
});

describe('running part of a graph', () => {
  it('computes the outputs asked for alone', async () => {
    const graph = await loadGraph(perceptron(1), { allowContrib: true });
    const feeds: Feeds = Object.fromEntries(
      Object.entries({ x: [2, 8], weight0: [8, 8], bias0: [8], scale0: [8], shift0: [8], out: [8, 1], labels: [2, 1] }).map(
        ([name, shape]) => {
          const size = shape.reduce((product, dim) => product * dim, 1);
          return [name, { values: Array.from({ length: size }, (_, index) => Math.cos(index)), shape, dtype: 'float32' }];
        },
      ),
    );
    const all = await graph.run(feeds);
    const some = await graph.run(feeds, ['loss']);
    expect(Object.keys(some)).toEqual(['loss']);
    expect(some['loss']).toEqual(all['loss']);
  });
});

describe('initializers', () => {
  const table = parameter('table', [4, 2]);
  const bias = parameter('bias', [2]);
  const ids = input('ids', 'int64', ['n']);
  const outputs = { y: add(gather(table, ids), bias) };
  const feeds: Feeds = { ids: { values: [3, 0], shape: [2], dtype: 'int64' } };
  /** 1, 2, … 8 and 0.5, −2 as bits of half precision. */
  const halfTable = Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700, 0x4800);
  const halfBias = Uint16Array.of(0x3800, 0xc000);
  const expected = [7.5, 6, 1.5, 0];
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'onefold-emit-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  const inline = (name: string, shape: number[], values: number[]): [string, Initializer] => [
    name,
    { dtype: 'float32', shape, data: Float32Array.from(values) },
  ];

  it('turn parameters into stored values; those without stay inputs', async () => {
    const values: [string, Initializer] = inline('table', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
    const graph = await loadGraph(outputs, { initializers: new Map([values, inline('elsewhere', [1], [0])]) });
    expect(graph.inputNames).toEqual(['ids', 'bias']);
    const results = await graph.run({ ...feeds, bias: { values: [0.5, -2], shape: [2], dtype: 'float32' } });
    expect(results['y']!.values).toEqual(expected);
  });

  it('in half precision are widened when used, tables after the lookup', async () => {
    const initializers = new Map<string, Initializer>([
      ['table', { dtype: 'float16', shape: [4, 2], data: halfTable }],
      ['bias', { dtype: 'float16', shape: [2], data: halfBias }],
    ]);
    expect(opTypes(toOnnx({ name: 'g', outputs, initializers }))).toEqual(['Gather', 'Cast', 'Cast', 'Add']);
    for (const level of ['disabled', 'all'] as const) {
      expect((await (await loadGraph(outputs, { initializers, level })).run(feeds))['y']!.values).toEqual(expected);
    }
  });

  it('load from a file beside the model, by offset', async () => {
    const bytes = Buffer.concat([Buffer.alloc(64), Buffer.from(halfTable.buffer), Buffer.from(Float32Array.of(0.5, -2).buffer)]);
    await writeFile(join(folder, 'tables.bin'), bytes);
    const initializers = new Map<string, Initializer>([
      ['table', { dtype: 'float16', shape: [4, 2], externalFile: 'tables.bin', offset: 64, length: 16 }],
      ['bias', { dtype: 'float32', shape: [2], externalFile: 'tables.bin', offset: 80, length: 8 }],
    ]);
    const model = join(folder, 'model.onnx');
    await writeFile(model, toOnnx({ name: 'g', outputs, initializers }));
    const graph = wrapSession(await InferenceSession.create(model, { intraOpNumThreads: 1 }));
    expect(graph.inputNames).toEqual(['ids']);
    expect((await graph.run(feeds))['y']!.values).toEqual(expected);
  });

  it('that do not fit their parameter are refused', () => {
    const emit = (initializer: Initializer) => () =>
      toOnnx({ name: 'g', outputs, initializers: new Map([['table', initializer]]) });
    expect(emit({ dtype: 'float32', shape: [2, 4], data: new Float32Array(8) })).toThrow(
      'initializer of table: float32 [4, 2] is float32 [2, 4]',
    );
    expect(emit({ dtype: 'int64', shape: [4, 2], data: new BigInt64Array(8) })).toThrow('is int64 [4, 2]');
    expect(emit({ dtype: 'float32', shape: [4, 2], data: new Float32Array(7) })).toThrow('has 28 bytes; float32 [4, 2] takes 32');
    expect(emit({ dtype: 'float16', shape: [4, 2], externalFile: 't', offset: 0, length: 32 })).toThrow('takes 16');
  });
});
