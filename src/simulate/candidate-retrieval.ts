import { drawInterestTopic } from './arrivals.js';
import type { TrackedPopularity } from './arrivals.js';
import type { World } from './marketplace-world.js';
import type { Random } from './random.js';
import type { RequestState } from './request-state.js';
import { SURFACES } from './surface-definitions.js';

/** Draws that may hit an ad already there, or one not launched yet, before the list stays shorter. */
const MAX_DRAWS_PER_CANDIDATE = 20;

/** Fills a request's `ad` and `count`: ads retrieved by interest, by the query or subject pin, or for being popular. */
export type Retrieval = (request: RequestState, random: Random) => void;

export const createRetrieval = (world: World, popularity: TrackedPopularity): Retrieval => {
  const { catalogue } = world;
  // Number of the last retrieval that took the ad: tells duplicates without clearing anything.
  const takenBy = new Float64Array(catalogue.topic.length);
  let retrieval = 0;
  return (request, random) => {
    retrieval++;
    const surface = SURFACES[request.surface]!;
    const { interest, context } = surface.retrieval;
    const wanted = surface.meanCandidates - surface.candidateSpread + random.index(2 * surface.candidateSpread + 1);
    request.count = 0;
    for (let draws = wanted * MAX_DRAWS_PER_CANDIDATE; request.count < wanted && draws > 0; draws--) {
      const source = random.uniform();
      let topic: number;
      if (source < interest) topic = drawInterestTopic(world, request.user, request.interestWeights, random);
      else if (source < interest + context) topic = request.contextTopic;
      else topic = popularity.draw(random);
      const ad = catalogue.adsByTopic[topic]![catalogue.choiceByTopic[topic]!.draw(random)]!;
      if (takenBy[ad] === retrieval || catalogue.launchDay[ad]! > request.day) continue;
      takenBy[ad] = retrieval;
      request.ad[request.count++] = ad;
    }
  };
};
