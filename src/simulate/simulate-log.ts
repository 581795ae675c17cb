import { setImmediate as nextTurn } from 'node:timers/promises';
import { createArrivals, createSurfaceChoice, meanCandidatesPerRequest, TrackedPopularity } from './arrivals.js';
import { calibrateIntercepts } from './calibrated-intercepts.js';
import { createRetrieval } from './candidate-retrieval.js';
import { EngagementQueue } from './engagement-queue.js';
import type { Engagement } from './engagement-queue.js';
import { burnInEngagements, createRequestEngagements } from './engagements.js';
import { FloorTally } from './entropy-floor.js';
import { createEventWriter } from './event-columns.js';
import { drawLabels } from './labels.js';
import { createRequestWriter } from './log-columns.js';
import type { World } from './marketplace-world.js';
import type { ParquetParts } from './parquet-parts.js';
import { createRandom, STREAMS } from './random.js';
import { createRanking } from './ranking.js';
import { createRequestState } from './request-state.js';
import type { RequestState } from './request-state.js';
import { LOG_START_MS, SimulatedClock } from './simulated-clock.js';
import { SURFACES } from './surface-definitions.js';
import { createAppealModel } from './true-appeal.js';
import { createProbabilityModel } from './true-probabilities.js';

const REQUESTS_BETWEEN_PROGRESS = 2_000;

/** The tables a simulation writes. */
export interface LogTables {
  /** In the order of `SURFACES`. */
  readonly logs: readonly ParquetParts[];
  readonly events: ParquetParts;
}

export interface LogProgress {
  readonly onProgress?: ((candidates: number) => void) | undefined;
  /** Throws when the work is to stop. */
  readonly check: () => void;
}

/** Who comes, what is shown, what the truth says, what happens: fills the state of one request. */
const createRequestSimulation = (world: World, popularity: TrackedPopularity): ((request: RequestState) => void) => {
  const surfaces = createSurfaceChoice();
  const arrive = createArrivals(world, popularity);
  const retrieve = createRetrieval(world, popularity);
  const appeal = createAppealModel(world);
  const rank = createRanking();
  const probabilities = createProbabilityModel(world, calibrateIntercepts(world));
  const arrivals = createRandom(world.seed, STREAMS.arrivals);
  const candidates = createRandom(world.seed, STREAMS.candidates);
  const labels = createRandom(world.seed, STREAMS.labels);
  return (request) => {
    request.surface = surfaces.draw(arrivals);
    arrive(request, arrivals);
    retrieve(request, candidates);
    appeal(request);
    rank(request, candidates);
    probabilities(request);
    drawLabels(request, labels);
  };
};

/** Simulates the whole log in time order and writes it. Returns the tally of its true probabilities and its events. */
export const simulateLog = async (
  world: World,
  candidates: number,
  { logs, events }: LogTables,
  { onProgress, check }: LogProgress,
): Promise<{ readonly tally: FloorTally; readonly events: number }> => {
  const tally = new FloorTally();
  const popularity = new TrackedPopularity(world);
  const simulate = createRequestSimulation(world, popularity);
  const engage = createRequestEngagements(world, popularity);
  const engagementRandom = createRandom(world.seed, STREAMS.engagements);
  const timing = createRandom(world.seed, STREAMS.timing);
  const writers = SURFACES.map((surface, index) => createRequestWriter(world, surface, logs[index]!));
  const writeEvent = createEventWriter(events);
  const queue = new EngagementQueue();
  const queueEngagement = (engagement: Engagement): void => queue.add(engagement);
  const nextId = new Int32Array(SURFACES.length).fill(1);
  let eventCount = 0;
  // Events are handed over one by one but flushed between requests, where waiting is possible.
  const due: Engagement[] = [];
  const collect = (engagement: Engagement): number => due.push(engagement);
  const writeDue = async (): Promise<void> => {
    for (const engagement of due) {
      writeEvent(engagement);
      eventCount++;
      if (events.endRow(1)) await events.flush();
    }
    due.length = 0;
  };

  for (const engagement of burnInEngagements(world)) {
    writeEvent(engagement);
    eventCount++;
    if (events.endRow(1)) {
      await events.flush();
      check();
    }
  }

  const request = createRequestState();
  const requests = Math.max(1, Math.round(candidates / meanCandidatesPerRequest()));
  const clock = new SimulatedClock(LOG_START_MS, world.days);
  let written = 0;
  for (let number = 0; number < requests; number++) {
    request.timeMs = clock.momentAt((number + timing.uniform()) / requests);
    queue.drain(request.timeMs, collect);
    if (due.length > 0) await writeDue();
    simulate(request);
    tally.add(request);
    const surface = request.surface;
    writers[surface]!(request, nextId[surface]!++);
    if (logs[surface]!.endRow(request.count)) await logs[surface]!.flush();
    engage(request, engagementRandom, queueEngagement);
    written += request.count;
    if (number % REQUESTS_BETWEEN_PROGRESS === 0) {
      onProgress?.(written);
      // Lets signals and timers of the process run.
      await nextTurn();
      check();
    }
  }
  queue.drain(Number.POSITIVE_INFINITY, collect);
  await writeDue();
  for (const table of [...logs, events]) await table.finish();
  onProgress?.(written);
  return { tally, events: eventCount };
};
