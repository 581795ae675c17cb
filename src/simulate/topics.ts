import type { Random } from './random.js';

/** Dimensions of the space in which topics, ads and interests live. */
export const LATENT_SIZE = 4;

const NAMES = [
  'garden', 'recipes', 'home_decor', 'fashion', 'travel', 'weddings', 'fitness', 'beauty', 'diy', 'art', 'photography', 'cars',
  'pets', 'kids', 'books', 'music', 'gaming', 'tech', 'finance', 'education', 'health', 'outdoors', 'architecture', 'tattoos',
  'jewelry', 'shoes', 'hair', 'nails', 'baking', 'coffee', 'crafts', 'knitting', 'woodwork', 'camping', 'cycling', 'running',
  'yoga', 'holidays', 'furniture', 'lighting',
] as const;

/** The marketplace's subjects; arrays are indexed by topic. */
export interface Topics {
  readonly names: readonly string[];
  /** `[topics, LATENT_SIZE]` unit vectors: near topics interest the same people. */
  readonly latents: Float64Array;
  readonly popularity: Float64Array;
  /** Mean of the natural log of prices. */
  readonly logPrice: Float64Array;
  /** Phase, in radians, of the slow rise and fall of popularity and of appeal. */
  readonly popularityPhase: Float64Array;
  readonly appealPhase: Float64Array;
}

/** Scales `length` values from `offset` on to a Euclidean norm of 1. */
export const normalize = (values: Float64Array, offset: number, length: number): void => {
  let squares = 0;
  for (let i = offset; i < offset + length; i++) squares += values[i]! * values[i]!;
  const scale = 1 / Math.sqrt(squares);
  for (let i = offset; i < offset + length; i++) values[i] = values[i]! * scale;
};

export const createTopics = (count: number, random: Random): Topics => {
  const latents = new Float64Array(count * LATENT_SIZE).map(() => random.normal());
  for (let topic = 0; topic < count; topic++) normalize(latents, topic * LATENT_SIZE, LATENT_SIZE);
  const perTopic = (draw: () => number): Float64Array => new Float64Array(count).map(draw);
  return {
    names: NAMES.slice(0, count),
    latents,
    popularity: perTopic(() => Math.exp(0.5 * random.normal())),
    logPrice: perTopic(() => 3 + 0.6 * random.normal()),
    popularityPhase: perTopic(() => 2 * Math.PI * random.uniform()),
    appealPhase: perTopic(() => 2 * Math.PI * random.uniform()),
  };
};

const POPULARITY_PERIOD_DAYS = 17;
const POPULARITY_SWING = 0.5;

/** Unnormalized popularity of every topic at a moment, as running sums: drift that shifts which candidates appear. */
export const cumulativePopularity = (topics: Topics, day: number, into: Float64Array): void => {
  let sum = 0;
  for (let topic = 0; topic < topics.names.length; topic++) {
    const swing = Math.sin((2 * Math.PI * day) / POPULARITY_PERIOD_DAYS + topics.popularityPhase[topic]!);
    sum += topics.popularity[topic]! * Math.exp(POPULARITY_SWING * swing);
    into[topic] = sum;
  }
};

/** Index of the first running sum above `fraction` of the total. */
export const drawCumulative = (sums: Float64Array, fraction: number): number => {
  const target = fraction * sums[sums.length - 1]!;
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > target) high = middle;
    else low = middle + 1;
  }
  return low;
};
