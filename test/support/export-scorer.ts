/** A scorer that is nothing but `openExport` and the encoders: what every other must agree with. */
import { createEncoder, type Encoder } from '../../src/data/encode.js';
import type { RawColumn } from '../../src/data/raw-column.js';
import type { OpenExport } from '../../src/export/open-export.js';
import { inputsOf } from '../../src/serve/json/raw-inputs.js';
import type { RawInput, RawRequest, ScoredRequest, Scorer, ServedSurface } from '../../src/serve/raw-request.js';
import { RequestError } from '../../src/serve/request-error.js';

const VERSION = '1';

const checkSequences = (inputs: readonly RawInput[], columns: ReadonlyMap<string, RawColumn>): void => {
  const lengths = new Map<string, number>();
  for (const { name, sequence } of inputs) {
    if (sequence === undefined) continue;
    const column = columns.get(name);
    const length = column?.type === 'list' ? column.offsets[1]! : 0;
    if (length !== (lengths.get(sequence) ?? length)) throw new RequestError('invalid', `"${name}" has another length than other fields of its sequence`, { path: name });
    lengths.set(sequence, length);
  }
};

interface Served {
  readonly opened: OpenExport;
  readonly encoder: Encoder;
  readonly described: ServedSurface;
}

/** Scores with open exports, all of version 1. */
export class ExportScorer implements Scorer {
  readonly #served: readonly Served[];
  /** Requests it was given, the newest last. */
  readonly seen: RawRequest[] = [];
  isReady = true;
  /** Waited for before a request is scored. */
  gate: Promise<void> = Promise.resolve();
  /** Thrown in place of scoring. */
  failure: Error | undefined;

  constructor(exports: readonly OpenExport[]) {
    this.#served = exports.map((opened) => {
      const { manifest, encoders } = opened;
      const prefix = `${manifest.surface}/`;
      return {
        opened,
        encoder: createEncoder(encoders),
        described: {
          surface: manifest.surface,
          version: VERSION,
          digest: manifest.surface,
          isCurrent: true,
          tasks: manifest.tasks,
          viewTypes: encoders.viewTypes.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
          inputs: inputsOf(encoders, manifest),
        },
      };
    });
  }

  surfaces(): readonly ServedSurface[] {
    return this.#served.map(({ described }) => described);
  }

  scoreAll(requests: readonly RawRequest[]): Promise<readonly ScoredRequest[]> {
    return Promise.all(requests.map((request) => this.score(request)));
  }

  async score(request: RawRequest): Promise<ScoredRequest> {
    this.seen.push(request);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    if (request.signal?.aborted === true) throw new RequestError('cancelled', 'the client went away');
    const { opened, encoder, described } = this.#served.find((one) => one.described.surface === request.surface)!;
    const { candidateCount, requestColumns, candidateColumns, viewType } = request;
    const context = { surfaces: encoder.set.surfaces.indexOf(request.surface), serving: true };
    const rows = {
      requestCount: 1,
      candidateCount,
      rowToRequest: new Int32Array(candidateCount),
      viewTypes: Int32Array.of(Math.max(0, encoder.set.viewTypes.indexOf(`${request.surface}/${viewType ?? request.surface}`))),
      requestColumns: encoder.encodeRows('request', requestColumns, 1, { ...context, requestTimes: Float64Array.of(request.time) }),
      candidateColumns: encoder.encodeRows('candidate', candidateColumns, candidateCount, { ...context, requestTimes: new Float64Array(candidateCount).fill(request.time) }),
    };
    checkSequences(described.inputs, requestColumns);
    const all = candidateCount === 0 ? Object.fromEntries(described.tasks.map((task) => [task, new Float32Array()])) : await opened.score(rows);
    const known = new Set(described.inputs.map(({ name }) => name));
    return {
      surface: request.surface,
      version: VERSION,
      scores: Object.fromEntries((request.tasks ?? described.tasks).map((task) => [task, all[task]!])),
      defaulted: described.inputs.flatMap(({ name, side }) => ((side === 'request' ? requestColumns : candidateColumns).has(name) ? [] : [{ feature: name, reason: 'missing' as const, rows: side === 'request' ? 1 : candidateCount }])),
      ignored: [...requestColumns.keys(), ...candidateColumns.keys()].filter((name) => !known.has(name)),
      degraded: [],
    };
  }
}
