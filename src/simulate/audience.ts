import type { Random } from './random.js';
import { LATENT_SIZE } from './topics.js';
import type { Topics } from './topics.js';
import { AGE_BUCKETS, COUNTRIES, DEVICES } from './surface-definitions.js';
import { WeightedChoice } from './weighted-choice.js';

/** Interests a user has. */
export const INTERESTS = 4;
/** Most interests a user may have declared. */
export const DECLARED = 3;
/** In `declared`: no further interest. */
export const NONE = 255;

const MISSING_AGE_SHARE = 0.1;
const MISSING_SENSITIVITY_SHARE = 0.06;
const NO_DECLARATION_SHARE = 0.2;
const INTEREST_PERIOD_DAYS = 45;
const INTEREST_SWING = 0.5;

/** Users; arrays are indexed by user. */
export interface Audience {
  readonly count: number;
  /** Draws a user in proportion to activity. */
  readonly choice: WeightedChoice;
  readonly country: Uint8Array;
  readonly mainDevice: Uint8Array;
  /** Index into `AGE_BUCKETS`, or its length for users who do not tell: a group with tastes of its own. */
  readonly age: Uint8Array;
  /** 0 (average) where the logs do not show it. */
  readonly priceSensitivity: Float32Array;
  /** What the logs show of it: with a little noise, NaN where it is missing. */
  readonly sensitivityShown: Float32Array;
  readonly accountAgeDays: Float32Array;
  /** Appetite for ads that nothing shows (log-odds): the little that cannot be learnt without the user's id. */
  readonly appetite: Float32Array;
  /** `[users, INTERESTS]` topics, their weights and the phases of their slow drift. */
  readonly interestTopic: Uint8Array;
  readonly interestWeight: Float32Array;
  readonly interestPhase: Float32Array;
  /** `[users, DECLARED]` topics a user declared at sign-up; `NONE` fills up. */
  readonly declared: Uint8Array;
}

export const createAudience = (count: number, topics: Topics, random: Random): Audience => {
  const topicChoice = new WeightedChoice(topics.popularity);
  const deviceChoice = new WeightedChoice([0.68, 0.1, 0.22]);
  const countryChoice = new WeightedChoice(COUNTRIES.map((_, rank) => 1 / (rank + 1)));
  const activity = new Float64Array(count);
  const audience = {
    count,
    country: new Uint8Array(count),
    mainDevice: new Uint8Array(count),
    age: new Uint8Array(count),
    priceSensitivity: new Float32Array(count),
    sensitivityShown: new Float32Array(count),
    accountAgeDays: new Float32Array(count),
    appetite: new Float32Array(count),
    interestTopic: new Uint8Array(count * INTERESTS),
    interestWeight: new Float32Array(count * INTERESTS),
    interestPhase: new Float32Array(count * INTERESTS),
    declared: new Uint8Array(count * DECLARED).fill(NONE),
  };
  for (let user = 0; user < count; user++) {
    activity[user] = Math.exp(0.7 * random.normal());
    audience.country[user] = countryChoice.draw(random);
    audience.mainDevice[user] = deviceChoice.draw(random) % DEVICES.length;
    audience.age[user] = random.uniform() < MISSING_AGE_SHARE ? AGE_BUCKETS.length : random.index(AGE_BUCKETS.length);
    if (random.uniform() < MISSING_SENSITIVITY_SHARE) {
      audience.sensitivityShown[user] = Number.NaN;
    } else {
      audience.priceSensitivity[user] = random.normal();
      audience.sensitivityShown[user] = Math.round(1000 * (audience.priceSensitivity[user]! + 0.1 * random.normal())) / 1000;
    }
    audience.accountAgeDays[user] = Math.floor(3 + 900 * random.uniform() ** 2);
    audience.appetite[user] = 0.06 * random.normal();
    drawInterests(audience, user, topics.names.length, topicChoice, random);
  }
  return { ...audience, choice: new WeightedChoice(activity) };
};

const drawInterests = (
  audience: Pick<Audience, 'interestTopic' | 'interestWeight' | 'interestPhase' | 'declared'>,
  user: number,
  topics: number,
  choice: WeightedChoice,
  random: Random,
): void => {
  const base = user * INTERESTS;
  let sum = 0;
  for (let i = 0; i < INTERESTS; i++) {
    let topic = choice.draw(random);
    // Topics are at least three times as many as interests: stepping on finds a fresh one.
    while (audience.interestTopic.subarray(base, base + i).includes(topic)) topic = (topic + 1) % topics;
    audience.interestTopic[base + i] = topic;
    const weight = 0.5 ** i * Math.exp(0.3 * random.normal());
    audience.interestWeight[base + i] = weight;
    audience.interestPhase[base + i] = 2 * Math.PI * random.uniform();
    sum += weight;
  }
  for (let i = 0; i < INTERESTS; i++) audience.interestWeight[base + i] = audience.interestWeight[base + i]! / sum;
  if (random.uniform() < NO_DECLARATION_SHARE) return;
  const declared = 1 + random.index(DECLARED);
  for (let i = 0; i < declared; i++) audience.declared[user * DECLARED + i] = audience.interestTopic[base + i]!;
};

/**
 * A user's interests at a moment: stable, with weights that rise and fall over weeks.
 *
 * @param weights filled with the running sums of the `INTERESTS` weights; the last one is 1
 * @param latent filled with the weighted mean of the interests' topics, `[LATENT_SIZE]`
 */
export const interestAt = (
  audience: Audience,
  topics: Topics,
  user: number,
  day: number,
  weights: Float64Array,
  latent: Float64Array,
): void => {
  const base = user * INTERESTS;
  let sum = 0;
  for (let i = 0; i < INTERESTS; i++) {
    const swing = Math.sin((2 * Math.PI * day) / INTEREST_PERIOD_DAYS + audience.interestPhase[base + i]!);
    sum += audience.interestWeight[base + i]! * Math.exp(INTEREST_SWING * swing);
    weights[i] = sum;
  }
  latent.fill(0);
  let before = 0;
  for (let i = 0; i < INTERESTS; i++) {
    const running = weights[i]! / sum;
    weights[i] = running;
    const topic = audience.interestTopic[base + i]! * LATENT_SIZE;
    for (let d = 0; d < LATENT_SIZE; d++) latent[d] = latent[d]! + (running - before) * topics.latents[topic + d]!;
    before = running;
  }
};
