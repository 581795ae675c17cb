/** What is computed together, and how much of it only once. */
import type { Counter, Histogram } from 'prom-client';
import type { BatchReport } from '../engine/generation.js';
import { VERSION_LABELS, type Instruments } from './instruments.js';

type VersionLabel = (typeof VERSION_LABELS)[number];

export class BatchMetrics {
  readonly #requests: Histogram<VersionLabel>;
  readonly #candidates: Histogram<VersionLabel>;
  readonly #wait: Histogram<VersionLabel>;
  readonly #run: Histogram<VersionLabel>;
  readonly #scored: Counter<VersionLabel>;
  readonly #users: Counter<VersionLabel | 'source'>;
  readonly #places: Counter<VersionLabel | 'kind'>;

  constructor(instruments: Instruments) {
    this.#requests = instruments.histogram('batch_requests', 'Requests of a run.', VERSION_LABELS, [1, 2, 4, 8, 16, 32, 64]);
    this.#candidates = instruments.histogram('batch_candidates', 'Candidates of a run.', VERSION_LABELS, [1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]);
    this.#wait = instruments.histogram('queue_wait_seconds', 'Time that requests waited for their run.', VERSION_LABELS);
    this.#run = instruments.histogram('run_duration_seconds', 'Time of a run, to a scoring thread and back.', VERSION_LABELS);
    this.#scored = instruments.counter('run_candidates_total', 'Candidates scored in runs; divided by the request sides computed, the broadcast ratio.', VERSION_LABELS);
    this.#users = instruments.counter('request_sides_total', 'Request sides that runs needed: computed, or cached from an earlier request.', [...VERSION_LABELS, 'source']);
    this.#places = instruments.counter('sequence_places_total', 'Places of sequences in runs: events, and padding to the longest of the run.', [...VERSION_LABELS, 'kind']);
  }

  batchDone({ surface, version, requests, candidates, queueSeconds, runSeconds, encodedUsers, cachedUsers, tokens, places }: BatchReport): void {
    const labels = { surface, version };
    this.#requests.observe(labels, requests);
    this.#candidates.observe(labels, candidates);
    for (const seconds of queueSeconds) this.#wait.observe(labels, seconds);
    this.#run.observe(labels, runSeconds);
    this.#scored.inc(labels, candidates);
    this.#users.inc({ surface, version, source: 'computed' }, encodedUsers);
    this.#users.inc({ surface, version, source: 'cached' }, cachedUsers);
    this.#places.inc({ surface, version, kind: 'event' }, tokens);
    this.#places.inc({ surface, version, kind: 'padding' }, Math.max(0, places - tokens));
  }
}
