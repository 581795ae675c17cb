import { createHash } from 'node:crypto';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { ParameterSpec } from '../model/layout.js';

/** The starting values of a parameter; they depend only on the seed and its own spec, not on the other parameters. */
export const initializeParameter = (spec: ParameterSpec, seed: number): Float32Array => {
  const values = new Float32Array(spec.shape.reduce((product, dim) => product * dim, 1));
  const { initializer } = spec;
  switch (initializer.type) {
    case 'zeros':
      return values;
    case 'values':
      values.set(initializer.values);
      return values;
    case 'glorot': {
      const stream = createHash('sha256').update(`${seed}\n${spec.name}`).digest().readInt32LE(0);
      const generator = xoroshiro128plus(stream);
      const bound = Math.sqrt(6 / (initializer.fanIn + initializer.fanOut));
      for (let i = 0; i < values.length; i += 1) values[i] = (2 * uniformFloat64(generator) - 1) * bound;
      return values;
    }
  }
};
