import fc from 'fast-check';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { input, parameter } from '../graph/inputs.js';
import { toOnnx } from '../graph/onnx/emit.js';
import { gather } from '../graph/ops/gather.js';
import { encodeRows, roundRows } from './table-rows.js';

const WIDTH = 5;
const rowsOf = (values: readonly number[]): Float32Array => Float32Array.from(values).subarray(0, values.length - (values.length % WIDTH));
const float = fc.double({ min: -30, max: 30, noNaN: true });
const tables = fc.array(fc.oneof(float, fc.constantFrom(0, 0.25, -1e-30)), { minLength: WIDTH, maxLength: 8 * WIDTH }).map(rowsOf);

describe('rows as bytes', () => {
  it('are at most half a step of their own row away', () => {
    fc.assert(
      fc.property(tables, (weights) => {
        const rounded = weights.slice();
        roundRows(rounded, WIDTH, 'int8');
        for (let from = 0; from < weights.length; from += WIDTH) {
          const row = weights.subarray(from, from + WIDTH);
          const step = (Math.max(...row) - Math.min(...row)) / 255;
          // Float32 rounds the step, the product and the sum, and has no numbers below 1e-45.
          const slack = 1e-42 + 4 * 2 ** -24 * Math.max(...row.map(Math.abs)) + 255 * step * 2 ** -23;
          row.forEach((weight, d) => expect(Math.abs(rounded[from + d]! - weight)).toBeLessThanOrEqual(step / 2 + slack));
        }
      }),
      { seed: 3 },
    );
  });

  it('of one value are exact', () => {
    const rows = Float32Array.from([0.1, 0.1, 0.1, 0.1, 0.1, -7, -7, -7, -7, -7]);
    const rounded = rows.slice();
    roundRows(rounded, WIDTH, 'int8');
    expect(rounded).toEqual(rows);
  });

  it.each(['fp16', 'int8'] as const)('are looked up in a graph as they are rounded here: %s', async (precision) => {
    const weights = Float32Array.from({ length: 4 * WIDTH }, (_, at) => Math.sin(at * at) * (1 + at));
    const { values, scales } = encodeRows(weights, WIDTH, precision);
    const stored = { dtype: precision === 'int8' ? 'uint8' : 'float16', shape: [4, WIDTH], data: values } as const;
    const table = scales === undefined ? stored : { ...stored, scales: { dtype: 'float32', shape: [4, 2], data: scales } as const };
    const rows = gather(parameter('table', [4, WIDTH]), input('ids', 'int64', ['rows', 'length']));
    const session = await InferenceSession.create(toOnnx({ name: 'lookup', outputs: { rows }, initializers: new Map([['table', table]]) }));
    const ids = [3, 0, 0, 2, 1, 3];
    const found = (await session.run({ ids: new OrtTensor('int64', BigInt64Array.from(ids, BigInt), [3, 2]) }))['rows']!;
    const rounded = weights.slice();
    roundRows(rounded, WIDTH, precision);
    expect(found.dims).toEqual([3, 2, WIDTH]);
    expect([...(found.data as Float32Array)]).toEqual(ids.flatMap((id) => [...rounded.subarray(id * WIDTH, (id + 1) * WIDTH)]));
  });
});
