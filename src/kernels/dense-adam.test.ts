import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADAM, ADAMW, GRADIENT, SETTINGS, START } from '../../test/support/dense-adam-oracle.js';
import { uniform } from '../../test/support/kernel-cases.js';
import { KernelUseError } from './kernel-error.js';
import { typescriptKernel } from './typescript-kernel.js';

describe('denseAdam', () => {
  it.each([['AdamW', true, ADAMW], ['Adam', false, ADAM]] as const)("equals PyTorch's %s", (_, decoupled, expected) => {
    const parameter = Float32Array.from(START);
    const [first, second] = [new Float32Array(5), new Float32Array(5)];
    for (let step = 1; step <= 3; step += 1) {
      // The caller's gradients are twice too large, and its clip factor says so.
      const gradient = Float32Array.from(GRADIENT, (value) => 2 * step * value);
      typescriptKernel.denseAdam(parameter, first, second, gradient, {
        ...SETTINGS, decoupled, gradientScale: 0.5, firstCorrection: 1 - SETTINGS.beta1 ** step, secondCorrection: 1 - SETTINGS.beta2 ** step,
      });
    }
    parameter.forEach((value, i) => expect(value).toBeCloseTo(expected.parameter[i]!, 6));
    first.forEach((value, i) => expect(value).toBeCloseTo(expected.first[i]!, 6));
    second.forEach((value, i) => expect(value).toBeCloseTo(expected.second[i]!, 6));
  });

  it('refuses arrays of different lengths', () => {
    const four = new Float32Array(4);
    const step = { ...SETTINGS, decoupled: true, gradientScale: 1, firstCorrection: 1, secondCorrection: 1 };
    expect(() => {
      typescriptKernel.denseAdam(four, four, four, new Float32Array(3), step);
    }).toThrow(KernelUseError);
  });
});

describe('squaredNorm', () => {
  it('is the sum of squares', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 7, 8, 100, 8191, 8192, 8193, 20000), fc.integer(), (length, seed) => {
        const values = uniform(length, seed);
        const expected = values.reduce((sum, value) => sum + value * value, 0);
        expect(Math.abs(typescriptKernel.squaredNorm(values) - expected)).toBeLessThanOrEqual(1e-12 * (expected + 1));
      }),
    );
  });
});
