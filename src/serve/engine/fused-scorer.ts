/** Runs the two halves of an export's graph, with embedding rows looked up in its mapped tables. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { turnOffTelemetry } from '../../config/no-telemetry.js';
import type { Batch } from '../../data/batch.js';
import type { Column } from '../../data/columns.js';
import { toInt64 } from '../../data/int64.js';
import { SERVING_GROUPS, type FusedManifest } from '../../export/fused-layout.js';
import { VIEW_TYPE_INPUT } from '../../export/graph-calibration.js';
import { EXPORT_FILES } from '../../export/manifest.js';
import { chooseKernel } from '../../kernels/choose-kernel.js';
import type { LookupTable } from '../../kernels/embedding-kernel.js';
import { INPUT } from '../../model/layout.js';
import { rowCountOf, type BatchFeeds } from '../../train/batch-feeds.js';
import { makeServingFeeds } from '../../train/feeds.js';
import { openSession } from '../../train/open-session.js';
import { joinRequests, unpackRequest, type PackedColumn, type UnpackedRequest } from './packed-request.js';
import { UserCache } from './user-cache.js';
import type { RunResult, VersionScorer, VersionSpec } from './version-scorer.js';

type Feeds = Record<string, Tensor>;

/** Adds the inputs that a session has. */
class FeedBuilder {
  readonly feeds: Feeds = {};
  readonly #wanted: ReadonlySet<string>;

  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  wants(name: string): boolean {
    return this.#wanted.has(name);
  }

  add(name: string, type: 'float32' | 'int32' | 'int64', data: Float32Array | Int32Array | BigInt64Array, shape: readonly number[]): void {
    if (this.#wanted.has(name)) this.feeds[name] = new Tensor(type, data as Float32Array, shape);
  }
}

interface Half {
  readonly session: InferenceSession;
  readonly inputs: ReadonlySet<string>;
}

/** One run's requests, ready to be fed. */
interface Prepared {
  readonly requests: readonly UnpackedRequest[];
  readonly feeds: BatchFeeds;
  readonly viewTypes: Int32Array;
}

/** The first `size` numbers of a buffer that grows where it must: memory that is taken anew for each run is the collector's work. */
const reserve = (buffers: Float32Array[], index: number, size: number): Float32Array => {
  if ((buffers[index]?.length ?? -1) < size) buffers[index] = new Float32Array(Math.ceil(size * 1.25));
  return buffers[index]!.subarray(0, size);
};

class FusedScorer implements VersionScorer {
  readonly #key: string;
  readonly #fused: FusedManifest;
  readonly #columns: readonly PackedColumn[];
  readonly #tasks: readonly string[];
  readonly #request: Half | undefined;
  readonly #candidate: Half;
  readonly #tables: ReadonlyMap<number, LookupTable>;
  /** Rows of each block, kept from run to run. */
  readonly #buffers: Float32Array[] = [];
  /** What the request half hands over, by place in the cut; kept likewise. */
  readonly #cutBuffers: Float32Array[] = [];
  readonly #cache: UserCache | undefined;

  constructor(options: {
    readonly spec: VersionSpec;
    readonly fused: FusedManifest;
    readonly columns: readonly PackedColumn[];
    readonly tasks: readonly string[];
    readonly request: Half | undefined;
    readonly candidate: Half;
    readonly tables: ReadonlyMap<number, LookupTable>;
  }) {
    this.#key = options.spec.key;
    this.#cache = options.spec.cache;
    this.#fused = options.fused;
    this.#columns = options.columns;
    this.#tasks = options.tasks;
    this.#request = options.request;
    this.#candidate = options.candidate;
    this.#tables = options.tables;
  }

  async score(buffers: readonly ArrayBuffer[]): Promise<RunResult> {
    const timing = { run: 0 };
    const requests = buffers.map((buffer) => unpackRequest(this.#columns, buffer));
    const prepared = this.#prepare(requests);
    const { cut, cached } = await this.#requestHalf(prepared, timing);
    const builder = new FeedBuilder(this.#candidate.inputs);
    this.#feed(builder, prepared);
    for (const { name, rows, width } of this.#fused.cut) {
      builder.add(name, 'float32', cut.get(name)!, [rowCountOf(rows, prepared.feeds), width]);
    }
    const count = prepared.feeds.candidateCount;
    const scores = new Float32Array(this.#tasks.length * count);
    const outputs = Object.fromEntries(this.#tasks.map((task, index) => [task, new Tensor('float32', scores.subarray(index * count, (index + 1) * count), [count])]));
    const started = performance.now();
    await this.#candidate.session.run(builder.feeds, outputs);
    timing.run += performance.now() - started;
    const { sequences } = prepared.feeds;
    const statistics = {
      encodedUsers: requests.length - cached,
      cachedUsers: cached,
      tokens: sequences.reduce((sum, { events }) => sum + events, 0),
      places: sequences.reduce((sum, { places }) => sum + places, 0),
      runMs: timing.run,
    };
    return { scores, statistics };
  }

  async close(): Promise<void> {
    await this.#request?.session.release();
    await this.#candidate.session.release();
    for (const table of this.#tables.values()) table.close();
  }

  #prepare(requests: readonly UnpackedRequest[]): Prepared {
    const { layout, absentSequences } = this.#fused;
    const columns = joinRequests(this.#columns, requests);
    const requestColumns = new Map(columns.requestColumns);
    for (const { name, column } of layout.sequences) {
      if (absentSequences.includes(name)) requestColumns.set(column, oneEvent(requests.length));
    }
    const candidateCount = requests.reduce((sum, request) => sum + request.candidateCount, 0);
    const rowToRequest = new Int32Array(candidateCount);
    let row = 0;
    for (const [index, request] of requests.entries()) rowToRequest.fill(index, row, (row += request.candidateCount));
    const viewTypes = Int32Array.from(requests, ({ viewType }) => viewType);
    const batch: Batch = {
      requestCount: requests.length,
      candidateCount,
      rowToRequest,
      surfaceCandidates: Int32Array.of(candidateCount),
      surfaces: new Int32Array(requests.length),
      viewTypes,
      requestColumns,
      candidateColumns: columns.candidateColumns,
      labels: [],
      weights: new Float32Array(0),
      requestIndex: new Int32Array(0),
    };
    return { requests, feeds: makeServingFeeds(batch, layout, SERVING_GROUPS), viewTypes };
  }

  /** Looks a half's blocks up and adds every input but what the halves hand over. */
  #feed(builder: FeedBuilder, { feeds, viewTypes }: Prepared): void {
    const { layout } = this.#fused;
    for (const [index, block] of layout.blocks.entries()) {
      if (!builder.wants(block.name)) continue;
      const rowCount = rowCountOf(block.rows, feeds);
      const rows = reserve(this.#buffers, index, rowCount * block.blockWidth);
      const slots = block.slots.map((slot, place) => ({ ...slot, ...feeds.blocks[index]![place]! }));
      this.#tables.get(block.width)!.lookup(slots, rowCount, rows, block.blockWidth);
      builder.add(block.name, 'float32', rows, [rowCount, block.blockWidth]);
    }
    for (const [index, block] of layout.dense.entries()) {
      const values = feeds.dense[index]!;
      builder.add(block.name, 'float32', values, [values.length / block.blockWidth, block.blockWidth]);
    }
    builder.add(INPUT.rowToRequest, 'int64', feeds.rowToRequest, [feeds.candidateCount]);
    if (builder.wants(VIEW_TYPE_INPUT)) builder.add(VIEW_TYPE_INPUT, 'int64', toInt64(viewTypes), [viewTypes.length]);
    for (const { tensors } of feeds.sequences) {
      for (const { name, shape, data } of tensors) builder.add(name, data instanceof Int32Array ? 'int32' : 'float32', data, shape);
    }
  }

  async #runRequests(prepared: Prepared, timing: { run: number }): Promise<ReadonlyMap<string, Float32Array>> {
    const half = this.#request!;
    const builder = new FeedBuilder(half.inputs);
    this.#feed(builder, prepared);
    const cut = new Map<string, Float32Array>();
    const outputs: Feeds = {};
    for (const [index, { name, rows, width }] of this.#fused.cut.entries()) {
      const count = rowCountOf(rows, prepared.feeds);
      const values = reserve(this.#cutBuffers, index, count * width);
      cut.set(name, values);
      outputs[name] = new Tensor('float32', values, [count, width]);
    }
    const started = performance.now();
    await half.session.run(builder.feeds, outputs);
    timing.run += performance.now() - started;
    return cut;
  }

  /** The request half's results for all requests, those that the cache has out of it. */
  async #requestHalf(prepared: Prepared, timing: { run: number }): Promise<{ readonly cut: ReadonlyMap<string, Float32Array>; readonly cached: number }> {
    const { requests } = prepared;
    const cache = this.#cache;
    if (this.#request === undefined) return { cut: new Map(), cached: 0 };
    if (cache === undefined) return { cut: await this.#runRequests(prepared, timing), cached: 0 };
    const keys = requests.map(({ requestWords }) => UserCache.key(this.#key, requestWords));
    const found = keys.map((key) => cache.get(key));
    const missing = requests.filter((_, index) => found[index] === undefined);
    if (missing.length > 0) {
      const own = missing.length === requests.length ? prepared : this.#prepare(missing);
      const results = this.#perRequest(await this.#runRequests(own, timing), missing);
      let next = 0;
      for (const [index, key] of keys.entries()) {
        if (found[index] !== undefined) continue;
        const values = results[next]!;
        next += 1;
        found[index] = values;
        cache.set(key, values);
      }
    }
    return { cut: this.#together(found as readonly (readonly Float32Array[])[], prepared), cached: requests.length - missing.length };
  }

  #tokensOf(rows: string, request: UnpackedRequest): number {
    const sequence = this.#fused.layout.sequences.find(({ name }) => rows === `tokens:${name}`)!;
    if (this.#fused.absentSequences.includes(sequence.name)) return 1;
    return request.columns[this.#columns.findIndex(({ name }) => name === sequence.column)]!.values.length;
  }

  /** Copies of each request's rows, in the order of the cut. */
  #perRequest(cut: ReadonlyMap<string, Float32Array>, requests: readonly UnpackedRequest[]): readonly (readonly Float32Array[])[] {
    const starts = this.#fused.cut.map(() => 0);
    return requests.map((request) =>
      this.#fused.cut.map(({ name, rows, width }, index) => {
        const count = rows === 'request' ? 1 : this.#tokensOf(rows, request);
        const start = starts[index]!;
        starts[index] = start + count * width;
        return cut.get(name)!.slice(start, start + count * width);
      }),
    );
  }

  #together(results: readonly (readonly Float32Array[])[], { feeds }: Prepared): ReadonlyMap<string, Float32Array> {
    return new Map(
      this.#fused.cut.map(({ name, rows, width }, index) => {
        // A batch without any event has one token all the same.
        const joined = new Float32Array(width * rowCountOf(rows, feeds));
        let at = 0;
        for (const result of results) {
          joined.set(result[index]!, at);
          at += result[index]!.length;
        }
        return [name, joined];
      }),
    );
  }
}

/** A history of one absent event for each request. */
const oneEvent = (requests: number): Column => ({ kind: 'ids', offsets: Int32Array.from({ length: requests + 1 }, (_, request) => request), values: new Int32Array(requests) });

/**
 * Opens the halves of an export.
 *
 * @returns undefined where the export has none: with int8 dense layers
 */
export const openFusedScorer = async (spec: VersionSpec, columns: readonly PackedColumn[], tasks: readonly string[]): Promise<VersionScorer | undefined> => {
  turnOffTelemetry();
  const { directory, threads } = spec;
  const path = join(directory, EXPORT_FILES.fused);
  if (!existsSync(path)) return undefined;
  const fused = JSON.parse(await readFile(path, 'utf8')) as FusedManifest;
  const kernel = chooseKernel({ threads });
  const tables = new Map(
    fused.tables.map(({ width, rows, offset, scalesOffset }) => [
      width,
      kernel.mapTable({ path: join(directory, EXPORT_FILES.tables), offset, width, rows, precision: fused.precision, ...(scalesOffset === undefined ? {} : { scalesOffset }) }),
    ]),
  );
  const half = async (file: string): Promise<Half> => {
    const session = await openSession(join(directory, file), threads);
    return { session, inputs: new Set(session.inputNames) };
  };
  const request = fused.cut.length === 0 ? undefined : await half(EXPORT_FILES.requestGraph);
  return new FusedScorer({ spec, fused, columns, tasks, request, candidate: await half(EXPORT_FILES.candidateGraph), tables });
};
