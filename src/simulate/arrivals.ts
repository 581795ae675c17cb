import { interestAt, INTERESTS } from './audience.js';
import type { World } from './marketplace-world.js';
import type { Random } from './random.js';
import type { RequestState } from './request-state.js';
import { DAY_MS, HOUR_MS, LOG_START_MS } from './simulated-clock.js';
import { DEVICES, SURFACES } from './surface-definitions.js';
import { cumulativePopularity, drawCumulative } from './topics.js';
import { WeightedChoice } from './weighted-choice.js';

/** Share of queries and subject pins that follow the user's interests; the others follow what is popular. */
const INTEREST_DRIVEN_SHARE = 0.6;
const OTHER_DEVICE_SHARE = 0.15;
/** How much more often a topic's first queries are asked than its later ones. */
const QUERY_SKEW = 1.4;

/** Topic popularity as running sums, refreshed once an hour of simulated time. */
export class TrackedPopularity {
  readonly sums: Float64Array;
  readonly #world: World;
  #hour = Number.NaN;

  constructor(world: World) {
    this.#world = world;
    this.sums = new Float64Array(world.topics.names.length);
  }

  follow(day: number): void {
    const hour = Math.floor(day * 24);
    if (hour === this.#hour) return;
    this.#hour = hour;
    cumulativePopularity(this.#world.topics, day, this.sums);
  }

  draw(random: Random): number {
    return drawCumulative(this.sums, random.uniform());
  }
}

/** A topic of the user's interests, in proportion to their weights at the moment `weights` was filled for. */
export const drawInterestTopic = (world: World, user: number, weights: Float64Array, random: Random): number =>
  world.audience.interestTopic[user * INTERESTS + drawCumulative(weights, random.uniform())]!;

/** Requests of each surface in proportion to its candidates over its candidates per request. */
export const createSurfaceChoice = (): WeightedChoice =>
  new WeightedChoice(SURFACES.map((surface) => surface.candidateShare / surface.meanCandidates));

/** Average candidates of a request over all surfaces. */
export const meanCandidatesPerRequest = (): number =>
  1 / SURFACES.reduce((sum, surface) => sum + surface.candidateShare / surface.meanCandidates, 0);

/** Draws who opens which surface how: everything of a request but its candidates. `surface` and `timeMs` are set. */
export type Arrivals = (request: RequestState, random: Random) => void;

export const createArrivals = (world: World, popularity: TrackedPopularity): Arrivals => {
  const { audience, catalogue, topics } = world;
  const viewChoices = SURFACES.map((surface) => new WeightedChoice(surface.viewTypes.map((view) => view.share)));
  const perTopic = world.sizes.queriesPerTopic;
  return (request, random) => {
    const surface = SURFACES[request.surface]!;
    request.day = (request.timeMs - LOG_START_MS) / DAY_MS;
    request.hour = Math.floor(request.timeMs / HOUR_MS) % 24;
    request.user = audience.choice.draw(random);
    const { user } = request;
    request.viewType = viewChoices[request.surface]!.draw(random);
    request.device = random.uniform() < OTHER_DEVICE_SHARE ? random.index(DEVICES.length) : audience.mainDevice[user]!;
    interestAt(audience, topics, user, request.day, request.interestWeights, request.interest);
    popularity.follow(request.day);
    request.query = -1;
    request.subjectPin = -1;
    request.contextTopic = -1;
    if (surface.contextScale === 0) return;
    const topic =
      random.uniform() < INTEREST_DRIVEN_SHARE
        ? drawInterestTopic(world, user, request.interestWeights, random)
        : popularity.draw(random);
    request.contextTopic = topic;
    if (surface.name === 'search') {
      request.query = topic * perTopic + Math.floor(perTopic * random.uniform() ** QUERY_SKEW);
    } else {
      const pins = catalogue.pinsByTopic[topic]!;
      request.subjectPin = pins[Math.floor(pins.length * random.uniform() ** 2)]!;
    }
  };
};
