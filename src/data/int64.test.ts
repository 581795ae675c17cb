import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toInt64 } from './int64.js';

describe('toInt64', () => {
  it('is what BigInt makes of each value', () => {
    fc.assert(
      fc.property(fc.int32Array(), (values) => {
        expect(toInt64(values)).toEqual(BigInt64Array.from(values, BigInt));
      }),
    );
  });
});
