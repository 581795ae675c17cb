import { fromBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { input, parameter } from '../graph/inputs.js';
import { toOnnx } from '../graph/onnx/emit.js';
import type { InlineInitializer } from '../graph/onnx/initializer.js';
import { ModelProtoSchema } from '../graph/onnx/onnx_pb.js';
import { add } from '../graph/ops/add.js';
import { matmul } from '../graph/ops/matmul.js';
import { relu } from '../graph/ops/relu.js';
import { quantizeDense } from './quantize-dense.js';

const [ROWS, IN, HIDDEN] = [20, 64, 48];
const wave = (count: number, pace: number): Float32Array => Float32Array.from({ length: count }, (_, at) => Math.sin(at * pace + pace));
const weights = new Map<string, InlineInitializer>([
  ['first', { dtype: 'float32', shape: [IN, HIDDEN], data: wave(IN * HIDDEN, 0.7) }],
  ['second', { dtype: 'float32', shape: [IN, HIDDEN], data: wave(IN * HIDDEN, 1.3) }],
  ['head', { dtype: 'float32', shape: [HIDDEN, 1], data: wave(HIDDEN, 0.3) }],
]);
const x = input('x', 'float32', ['rows', IN]);
const hidden = add(matmul(x, parameter('first', [IN, HIDDEN])), matmul(x, parameter('second', [IN, HIDDEN])));
const model = toOnnx({ name: 'dense', outputs: { hidden, logit: matmul(relu(hidden), parameter('head', [HIDDEN, 1])) }, initializers: weights });

const run = async (bytes: Uint8Array, values: Float32Array): Promise<Float32Array> => {
  const session = await InferenceSession.create(bytes);
  return (await session.run({ x: new OrtTensor('float32', values, [ROWS, IN]) }))['hidden']!.data as Float32Array;
};

describe('quantized dense layers', () => {
  const quantized = quantizeDense(model)!;

  it('are standard operators; layers too small to gain stay as they are, and what two layers read is rounded once', () => {
    const { graph, opsetImport } = fromBinary(ModelProtoSchema, quantized);
    expect(opsetImport.map(({ domain }) => domain)).toEqual(['']);
    const count = (wanted: string): number => graph!.node.filter(({ opType }) => opType === wanted).length;
    expect(['DynamicQuantizeLinear', 'MatMulInteger', 'MatMul'].map(count)).toEqual([1, 2, 1]);
    expect(graph!.initializer.map(({ name }) => name).filter((name) => weights.has(name))).toEqual(['head']);
  });

  it('give what rounded weights and inputs give', async () => {
    const values = wave(ROWS * IN, 0.11);
    const [exact, rounded] = [await run(model, values), await run(quantized, values)];
    // Inputs are off by at most half of their range / 255, weights by half of their output's largest / 63.
    const worst = [...weights.values()].slice(0, 2).reduce((sum, { data }) => {
      const largest = Math.max(...(data as Float32Array).map(Math.abs));
      return sum + IN * (largest * (2 / 255 / 2) + largest / 63 / 2);
    }, 0);
    const differences = exact.map((value, at) => Math.abs(value - rounded[at]!));
    expect(Math.max(...differences)).toBeGreaterThan(0);
    expect(Math.max(...differences)).toBeLessThan(worst);
    // Errors are of either sign: most of the bound is never met.
    expect(differences.reduce((sum, value) => sum + value, 0) / differences.length).toBeLessThan(worst / 8);
  });

  it('are exact for inputs and weights that are codes', async () => {
    const codes: InlineInitializer = { dtype: 'float32', shape: [IN, HIDDEN], data: Float32Array.from({ length: IN * HIDDEN }, (_, at) => ((at * 37) % 127) - 63) };
    // Every output's largest weight is 63.
    for (let output = 0; output < HIDDEN; output += 1) (codes.data as Float32Array)[output] = 63;
    const outputs = { hidden: matmul(x, parameter('first', [IN, HIDDEN])) };
    const integers = toOnnx({ name: 'integers', outputs, initializers: new Map([['first', codes]]) });
    const values = Float32Array.from({ length: ROWS * IN }, (_, at) => (at * 101) % 256);
    expect(await run(quantizeDense(integers)!, values)).toEqual(await run(integers, values));
  });

  it('are not there where no layer is large enough', () => {
    const outputs = { hidden: matmul(parameter('small', [4, 8]), parameter('other', [8, 4])) };
    expect(quantizeDense(toOnnx({ name: 'small', outputs, initializers: new Map() }))).toBeUndefined();
  });
});
