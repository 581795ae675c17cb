import { LATENT_SIZE, normalize } from './topics.js';
import type { Topics } from './topics.js';
import type { Random } from './random.js';
import type { MarketplaceSizes } from './marketplace-sizes.js';
import { FORMATS, STYLE_TAGS, TAGS_PER_TOPIC } from './surface-definitions.js';
import { WeightedChoice } from './weighted-choice.js';

export const CREATIVE_SIZE = 8;

const MISSING_PRICE_SHARE = 0.12;
/** Share of ads that start within the log: cold starts. */
const LAUNCH_DURING_LOG_SHARE = 0.1;
const OLDEST_LAUNCH_DAYS = 60;
const STYLE_TAG_SHARE = 0.25;

/** Ads, queries and organic pins; ad arrays are indexed by ad. */
export interface Catalogue {
  readonly topic: Uint8Array;
  readonly advertiser: Int32Array;
  readonly format: Uint8Array;
  /** NaN where the ad shows no price. */
  readonly price: Float32Array;
  /** (ln price − 3), 0 where there is no price. */
  readonly priceLevel: Float64Array;
  /** Days from the log's start; negative: before it. */
  readonly launchDay: Float64Array;
  /** `[ads, LATENT_SIZE]` unit vectors: what the ad is about. */
  readonly latents: Float64Array;
  /** `[ads, CREATIVE_SIZE]`: an embedding of the creative that shows the latent vector, rotated, with a little noise. */
  readonly creative: Float32Array;
  /** Appeal of the ad itself, beside its topic and format (log-odds). */
  readonly quality: Float64Array;
  /** Tags of ad `a`: `tags[tagOffsets[a]]` up to `tags[tagOffsets[a + 1]]`, indices into `tagNames`. */
  readonly tagOffsets: Int32Array;
  readonly tags: Uint8Array;
  readonly tagNames: readonly string[];
  /** Draws an ad of a topic, popular ones more often; `adsByTopic[topic][drawn]` is the ad. */
  readonly choiceByTopic: readonly WeightedChoice[];
  readonly adsByTopic: readonly Int32Array[];
  readonly advertiserStay: Float64Array;
  readonly queryNames: readonly string[];
  readonly queryTopic: Uint8Array;
  /** Words of the query. */
  readonly queryLength: Uint8Array;
  readonly pinTopic: Uint8Array;
  readonly pinsByTopic: readonly Int32Array[];
}

const groupByTopic = (topic: Uint8Array, topics: number): readonly Int32Array[] => {
  const groups = Array.from({ length: topics }, (): number[] => []);
  topic.forEach((value, index) => groups[value]!.push(index));
  return groups.map((group) => Int32Array.from(group));
};

/** The first `topics` entries cover every topic once; the others follow popularity. */
const coverTopics = (count: number, topics: Topics, random: Random): Uint8Array => {
  const choice = new WeightedChoice(topics.popularity);
  return Uint8Array.from({ length: count }, (_, index) => (index < topics.names.length ? index : choice.draw(random)));
};

/** A random map from latent to creative space with near-orthogonal columns. */
const createProjection = (random: Random): Float64Array =>
  new Float64Array(CREATIVE_SIZE * LATENT_SIZE).map(() => random.normal() / Math.sqrt(CREATIVE_SIZE));

const createTags = (topic: Uint8Array, topics: Topics, random: Random): Pick<Catalogue, 'tags' | 'tagOffsets' | 'tagNames'> => {
  const offsets = new Int32Array(topic.length + 1);
  const tags: number[] = [];
  topic.forEach((value, ad) => {
    const first = random.index(TAGS_PER_TOPIC);
    tags.push(STYLE_TAGS.length + value * TAGS_PER_TOPIC + first);
    if (random.uniform() < 0.5) tags.push(STYLE_TAGS.length + value * TAGS_PER_TOPIC + ((first + 1) % TAGS_PER_TOPIC));
    for (let style = 0; style < STYLE_TAGS.length; style++) if (random.uniform() < STYLE_TAG_SHARE) tags.push(style);
    offsets[ad + 1] = tags.length;
  });
  const topicTags = topics.names.flatMap((name) => Array.from({ length: TAGS_PER_TOPIC }, (_, i) => `${name}_${i + 1}`));
  return { tags: Uint8Array.from(tags), tagOffsets: offsets, tagNames: [...STYLE_TAGS, ...topicTags] };
};

const createQueries = (
  perTopic: number,
  topics: Topics,
  random: Random,
): Pick<Catalogue, 'queryNames' | 'queryTopic' | 'queryLength'> => {
  const count = topics.names.length * perTopic;
  return {
    queryNames: Array.from({ length: count }, (_, query) => `${topics.names[Math.floor(query / perTopic)]!} ${(query % perTopic) + 1}`),
    queryTopic: Uint8Array.from({ length: count }, (_, query) => Math.floor(query / perTopic)),
    queryLength: Uint8Array.from({ length: count }, () => 1 + random.index(5)),
  };
};

export const createCatalogue = (sizes: MarketplaceSizes, topics: Topics, days: number, random: Random): Catalogue => {
  const { ads, advertisers } = sizes;
  const topicCount = topics.names.length;
  const advertiserQuality = new Float64Array(advertisers).map(() => 0.25 * random.normal());
  const advertiserStay = new Float64Array(advertisers).map(() => 0.4 * random.normal());
  const topic = coverTopics(ads, topics, random);
  const advertiser = Int32Array.from({ length: ads }, () => random.index(advertisers));
  const format = Uint8Array.from({ length: ads }, () => Math.min(FORMATS.length - 1, Math.floor(FORMATS.length * random.uniform() ** 1.5)));
  const price = Float32Array.from(topic, (value) =>
    random.uniform() < MISSING_PRICE_SHARE ? Number.NaN : Math.round(100 * Math.exp(topics.logPrice[value]! + 0.7 * random.normal())) / 100 + 0.5,
  );
  const launchDay = Float64Array.from({ length: ads }, (_, ad) => {
    const during = random.uniform() < LAUNCH_DURING_LOG_SHARE && ad >= topicCount;
    return during ? days * random.uniform() : -OLDEST_LAUNCH_DAYS * random.uniform();
  });
  const projection = createProjection(random);
  const latents = new Float64Array(ads * LATENT_SIZE);
  const creative = new Float32Array(ads * CREATIVE_SIZE);
  const spread = 0.55 / Math.sqrt(LATENT_SIZE);
  for (let ad = 0; ad < ads; ad++) {
    for (let i = 0; i < LATENT_SIZE; i++) {
      latents[ad * LATENT_SIZE + i] = topics.latents[topic[ad]! * LATENT_SIZE + i]! + spread * random.normal();
    }
    normalize(latents, ad * LATENT_SIZE, LATENT_SIZE);
    for (let row = 0; row < CREATIVE_SIZE; row++) {
      let value = 0.02 * random.normal();
      for (let i = 0; i < LATENT_SIZE; i++) value += projection[row * LATENT_SIZE + i]! * latents[ad * LATENT_SIZE + i]!;
      creative[ad * CREATIVE_SIZE + row] = value;
    }
  }
  const adsByTopic = groupByTopic(topic, topicCount);
  const pinTopic = coverTopics(sizes.organicPins, topics, random);
  return {
    topic,
    advertiser,
    format,
    price,
    priceLevel: Float64Array.from(price, (value) => (Number.isNaN(value) ? 0 : Math.log(value) - 3)),
    launchDay,
    latents,
    creative,
    quality: Float64Array.from(advertiser, (owner) => advertiserQuality[owner]! + 0.12 * random.normal()),
    ...createTags(topic, topics, random),
    choiceByTopic: adsByTopic.map((group) => new WeightedChoice(Float64Array.from(group, (_, rank) => (rank + 4) ** -0.6))),
    adsByTopic,
    advertiserStay,
    ...createQueries(sizes.queriesPerTopic, topics, random),
    pinTopic,
    pinsByTopic: groupByTopic(pinTopic, topicCount),
  };
};
