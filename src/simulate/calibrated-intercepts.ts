import { createArrivals, TrackedPopularity } from './arrivals.js';
import { createRetrieval } from './candidate-retrieval.js';
import type { World } from './marketplace-world.js';
import { createRandom, STREAMS } from './random.js';
import { createRanking } from './ranking.js';
import { createRequestState } from './request-state.js';
import { DAY_MS, LOG_START_MS } from './simulated-clock.js';
import { SURFACES } from './surface-definitions.js';
import { createAppealModel } from './true-appeal.js';
import { positionEffect, sigmoid } from './true-probabilities.js';

const PILOT_REQUESTS = 1_500;
const BISECTIONS = 40;

/** The intercept at which the mean probability of `logits` is `rate`. */
const interceptFor = (logits: Float64Array, rate: number): number => {
  let low = -20;
  let high = 10;
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    let sum = 0;
    for (const logit of logits) sum += sigmoid(middle + logit);
    if (sum / logits.length < rate) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
};

/** Intercept of each surface's click log-odds at which a pilot of its requests clicks as often as the surface defines. */
export const calibrateIntercepts = (world: World): Float64Array => {
  const random = createRandom(world.seed, STREAMS.pilot);
  const popularity = new TrackedPopularity(world);
  const arrive = createArrivals(world, popularity);
  const retrieve = createRetrieval(world, popularity);
  const appeal = createAppealModel(world);
  const rank = createRanking();
  const request = createRequestState();
  return Float64Array.from(SURFACES, (surface, index) => {
    const logits: number[] = [];
    for (let pilot = 0; pilot < PILOT_REQUESTS; pilot++) {
      request.surface = index;
      request.timeMs = LOG_START_MS + Math.floor(((pilot + random.uniform()) / PILOT_REQUESTS) * world.days * DAY_MS);
      arrive(request, random);
      retrieve(request, random);
      appeal(request);
      rank(request, random);
      const view = surface.viewTypes[request.viewType]!;
      for (let i = 0; i < request.count; i++) logits.push(request.appeal[i]! + view.offset + positionEffect(view.positionSlope, i + 1));
    }
    return interceptFor(Float64Array.from(logits), surface.clickRate);
  });
};
