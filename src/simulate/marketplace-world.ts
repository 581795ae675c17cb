import { createAudience } from './audience.js';
import type { Audience } from './audience.js';
import { createCatalogue } from './catalogue.js';
import type { Catalogue } from './catalogue.js';
import { createEffects } from './effects.js';
import type { Effects } from './effects.js';
import { sizesFor } from './marketplace-sizes.js';
import type { MarketplaceSizes } from './marketplace-sizes.js';
import { createRandom, STREAMS } from './random.js';
import { createTopics } from './topics.js';
import type { Topics } from './topics.js';

/** Everything of a marketplace that exists before its log: drawn once from the seed. */
export interface World {
  readonly seed: number;
  readonly days: number;
  readonly sizes: MarketplaceSizes;
  readonly topics: Topics;
  readonly catalogue: Catalogue;
  readonly audience: Audience;
  readonly effects: Effects;
}

export const createWorld = (candidates: number, seed: number, days: number): World => {
  const sizes = sizesFor(candidates);
  const topics = createTopics(sizes.topics, createRandom(seed, STREAMS.topics));
  const catalogue = createCatalogue(sizes, topics, days, createRandom(seed, STREAMS.catalogue));
  const audience = createAudience(sizes.users, topics, createRandom(seed, STREAMS.audience));
  const effects = createEffects(topics, catalogue, createRandom(seed, STREAMS.effects));
  return { seed, days, sizes, topics, catalogue, audience, effects };
};
