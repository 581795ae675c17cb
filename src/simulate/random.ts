import { randomNormal } from 'd3-random';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** 2⁻³²: turns 32 random bits into a number in [0, 1). */
const UNIT = 2 ** -32;

/** Seeded source of randomness; the same seed and stream give the same numbers on every machine. */
export interface Random {
  /** In [0, 1). */
  uniform(): number;
  /** An integer in [0, `count`). */
  index(count: number): number;
  /** Standard normal. */
  normal(): number;
}

/** Mixes the seed with the stream's number (MurmurHash3's finalizer), so that near seeds give unrelated streams. */
const mix = (seed: number, stream: number): number => {
  let hash = (seed ^ Math.imul(stream + 1, 0x9e3779b1)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
};

/** Each part of the simulation draws from a stream of its own, so that a change in one leaves the others as they were. */
export const STREAMS = {
  topics: 0,
  catalogue: 1,
  audience: 2,
  effects: 3,
  pilot: 4,
  arrivals: 5,
  candidates: 6,
  labels: 7,
  engagements: 8,
  burnIn: 9,
  timing: 10,
} as const;

export const createRandom = (seed: number, stream: number): Random => {
  const generator = xoroshiro128plus(mix(seed, stream));
  const uniform = (): number => (generator.next() >>> 0) * UNIT;
  return {
    uniform,
    index: (count) => Math.floor(uniform() * count),
    normal: randomNormal.source(uniform)(0, 1),
  };
};
