import { TrackedPopularity } from './arrivals.js';
import { interestAt, INTERESTS } from './audience.js';
import type { Engagement } from './engagement-queue.js';
import type { World } from './marketplace-world.js';
import { createRandom, STREAMS } from './random.js';
import type { Random } from './random.js';
import type { RequestState } from './request-state.js';
import { DAY_MS, LOG_START_MS, SimulatedClock } from './simulated-clock.js';
import { ACTIONS, SURFACES, TASKS } from './surface-definitions.js';
import { drawCumulative, LATENT_SIZE } from './topics.js';
import { WeightedChoice } from './weighted-choice.js';

/** Share of organic engagements that follow the user's interests; the others follow what is popular. */
const INTEREST_SHARE = 0.95;
/** Organic engagements after a request: 0 to 6, uniformly. */
const MOST_ORGANIC = 6;
const ORGANIC_WITHIN_MS = 240_000;
const SECONDS_PER_POSITION_MS = 2_000;
/** Fractional parts of the golden ratio and of the square root of 2. */
const GOLDEN_TURN = 0.6180339887498949;
const SECOND_TURN = 0.4142135623730951;
const ACTION_SHARES = [0.5, 0.3, 0.2] as const;
/** Days of history before the log starts. */
export const BURN_IN_DAYS = 30;

const LONG_CLICK = TASKS.indexOf('long_click');
const SAVE = TASKS.indexOf('save');
const CLICK = TASKS.indexOf('click');

/** Id of an organic pin. Ads are pins too and come first in the one id space; ids start at 1. */
export const organicPinId = (world: World, pin: number): number => world.catalogue.topic.length + pin + 1;

/** Draws what a user engages with besides ads. */
class OrganicEngagements {
  readonly #world: World;
  readonly #popularity: TrackedPopularity;
  readonly #actions = new WeightedChoice(ACTION_SHARES);
  /** Per user: where the rotation stands, in [0, 1). */
  readonly #turns: Float64Array;

  constructor(world: World, popularity: TrackedPopularity) {
    this.#world = world;
    this.#popularity = popularity;
    this.#turns = Float64Array.from({ length: world.audience.count }, (_, user) => (user * SECOND_TURN) % 1);
  }

  draw(user: number, timeMs: number, surface: number, weights: Float64Array, random: Random): Engagement {
    const { catalogue } = this.#world;
    const topic =
      random.uniform() < INTEREST_SHARE ? this.#nextInterest(user, weights) : this.#popularity.draw(random);
    const pins = catalogue.pinsByTopic[topic]!;
    const pin = pins[Math.floor(pins.length * random.uniform() ** 2)]!;
    return { timeMs, user, pin: organicPinId(this.#world, pin), topic, action: this.#actions.draw(random), surface };
  }

  /**
   * Users rotate through their interests rather than draw them: multiples of the golden ratio visit every interest in
   * proportion to its weight after a few steps, so that a short history already tells the weights.
   */
  #nextInterest(user: number, weights: Float64Array): number {
    const turn = (this.#turns[user]! + GOLDEN_TURN) % 1;
    this.#turns[user] = turn;
    return this.#world.audience.interestTopic[user * INTERESTS + drawCumulative(weights, turn)]!;
  }
}

/** Hands over what a request led to: each clicked or saved ad once, and organic engagements in the minutes after. */
export type RequestEngagements = (request: RequestState, random: Random, take: (engagement: Engagement) => void) => void;

export const createRequestEngagements = (world: World, popularity: TrackedPopularity): RequestEngagements => {
  const organic = new OrganicEngagements(world, popularity);
  return (request, random, take) => {
    const { user, surface, timeMs } = request;
    for (let i = 0; i < request.count; i++) {
      let action: (typeof ACTIONS)[number];
      if (request.label[SAVE]![i] === 1) action = 'save';
      else if (request.label[LONG_CLICK]![i] === 1) action = 'long_click';
      else if (request.label[CLICK]![i] === 1) action = 'click';
      else continue;
      const ad = request.ad[i]!;
      const delay = Math.floor((i + 1 + random.uniform()) * SECONDS_PER_POSITION_MS);
      take({ timeMs: timeMs + delay, user, pin: ad + 1, topic: world.catalogue.topic[ad]!, action: ACTIONS.indexOf(action), surface });
    }
    for (let count = random.index(MOST_ORGANIC + 1); count > 0; count--) {
      const moment = timeMs + 1 + random.index(ORGANIC_WITHIN_MS);
      take(organic.draw(user, moment, surface, request.interestWeights, random));
    }
  };
};

/** Yields the history before the log in time order: organic engagements of users drawn by activity. */
export function* burnInEngagements(world: World): Generator<Engagement> {
  const random = createRandom(world.seed, STREAMS.burnIn);
  const startMs = LOG_START_MS - BURN_IN_DAYS * DAY_MS;
  const clock = new SimulatedClock(startMs, BURN_IN_DAYS);
  const popularity = new TrackedPopularity(world);
  const organic = new OrganicEngagements(world, popularity);
  const surfaces = new WeightedChoice(SURFACES.map((surface) => surface.candidateShare));
  const weights = new Float64Array(INTERESTS);
  const interest = new Float64Array(LATENT_SIZE);
  const count = world.sizes.burnInEvents;
  for (let event = 0; event < count; event++) {
    const timeMs = clock.momentAt((event + random.uniform()) / count);
    const day = (timeMs - LOG_START_MS) / DAY_MS;
    const user = world.audience.choice.draw(random);
    interestAt(world.audience, world.topics, user, day, weights, interest);
    popularity.follow(day);
    yield organic.draw(user, timeMs, surfaces.draw(random), weights, random);
  }
}
