import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kernelCases, readPart, slotsOf, strideOf, TABLE_ROWS, tableOf, uniform } from '../../test/support/kernel-cases.js';
import { fromHalf, toHalf } from './half-precision.js';
import { KernelError } from './kernel-error.js';
import { typescriptKernel } from './typescript-kernel.js';

describe('quantizeTable', () => {
  it('looks up what a table of the rounded weights would', () => {
    fc.assert(
      fc.property(kernelCases, fc.constantFrom('fp16' as const, 'int8' as const), (subject, precision) => {
        const table = tableOf(typescriptKernel, subject);
        const { width } = table;
        const rounded = readPart(table);
        for (let row = 0; row < table.rows; row += 1) {
          const weights = rounded.subarray(row * width, (row + 1) * width);
          const lowest = Math.min(...weights);
          const step = (Math.max(...weights) - lowest) / 255;
          weights.forEach((weight, d) => {
            weights[d] = precision === 'fp16' ? fromHalf(toHalf(weight)) : step === 0 ? weight : lowest + step * Math.round((weight - lowest) / step);
          });
        }
        const quantized = typescriptKernel.quantize(table, precision);
        table.writeRows('weights', 0, rounded);
        const stride = strideOf(subject);
        const expected = new Float32Array(subject.rowCount * stride);
        const actual = new Float32Array(subject.rowCount * stride);
        table.lookup(slotsOf(subject), subject.rowCount, expected, stride);
        quantized.lookup(slotsOf(subject), subject.rowCount, actual, stride);
        actual.forEach((value, i) => {
          expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5);
        });
        expect(quantized.bytes).toBe(2 * TABLE_ROWS * (precision === 'fp16' ? 2 * width : width + 8));
      }),
    );
  });

  it('checks ids, and refuses to read once closed', () => {
    const table = typescriptKernel.createTable(2, 4);
    table.writeRows('weights', 0, uniform(8, 1));
    const quantized = typescriptKernel.quantize(table, 'int8');
    const slot = { column: 'ad', base: 0, rows: 4, pooling: 'single', offset: 0, values: Int32Array.of(4) } as const;
    const look = () => {
      quantized.lookup([slot], 1, new Float32Array(2), 2);
    };
    expect(look).toThrow(new KernelError('ad', 0, 4, 4));
    quantized.close();
    expect(look).toThrow('the table is closed');
  });
});
