/** A version of a surface's export as the main thread has it: what turns raw requests into packed ones. */
import { DataError } from '../../config/errors.js';
import type { Column } from '../../data/columns.js';
import { createEncoder, rawColumnName, type Encoder } from '../../data/encode.js';
import { MISSING_ROW, UNKNOWN_ROW, type ColumnState, type EncoderSet } from '../../data/encoder-state.js';
import type { RawColumn } from '../../data/raw-column.js';
import { digestOf, type ExportManifest } from '../../export/manifest.js';
import { inputsOf } from '../json/raw-inputs.js';
import type { DefaultedFeature, RawInput, RawRequest, ServedSurface } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { packedColumns, packRequest, type PackedColumn } from './packed-request.js';
import { sequenceFields, wholeSequences, type SequenceFields } from './whole-sequences.js';

/** A request ready for a thread, and what was found out about it. */
export interface PreparedRequest {
  readonly packed: ArrayBuffer;
  /** Events of its longest sequence. */
  readonly events: number;
  readonly defaulted: readonly DefaultedFeature[];
  readonly ignored: readonly string[];
}

const VIEW_TYPE = '@view_type';

/** Reasons of one feature's defaults, by row. */
class Defaults {
  readonly #found = new Map<string, DefaultedFeature>();

  add(feature: string, reason: DefaultedFeature['reason'], rows: number): void {
    if (rows === 0) return;
    const key = `${reason} ${feature}`;
    const known = this.#found.get(key);
    // Fields of a sequence are one feature: what most rows of a field lacked.
    if (known === undefined || known.rows < rows) this.#found.set(key, { feature, reason, rows });
  }

  list(): readonly DefaultedFeature[] {
    return [...this.#found.values()];
  }
}

const countEqual = (values: Int32Array, wanted: number): number => {
  let count = 0;
  for (const value of values) if (value === wanted) count += 1;
  return count;
};

const countMissing = (values: Float32Array, size: number): number => {
  let count = 0;
  for (let at = 0; at < values.length; at += size) if (Number.isNaN(values[at]!)) count += 1;
  return count;
};

/** Rows of lists in which some element is unknown. */
const listsWithUnknown = (offsets: Int32Array, values: Int32Array): number => {
  let count = 0;
  for (let row = 0; row + 1 < offsets.length; row += 1) {
    for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) {
      if (values[at] !== UNKNOWN_ROW) continue;
      count += 1;
      break;
    }
  }
  return count;
};

/** One loaded version. */
export class LoadedVersion {
  readonly key: string;
  readonly version: string;
  readonly directory: string;
  readonly manifest: ExportManifest;
  readonly encoders: EncoderSet;
  readonly inputs: readonly RawInput[];
  readonly digest: string;
  /** What clients see of it, whichever version is current. */
  readonly served: ServedSurface;
  /** Names without the surface, in view-type order; empty where the surface has no view types. */
  readonly viewTypes: readonly string[];
  readonly #encoder: Encoder;
  readonly #columns: readonly PackedColumn[];
  readonly #surfaceIndex: number;
  readonly #viewTypeIndex: ReadonlyMap<string, number>;
  /** Raw columns that the encoders read, by side. */
  readonly #read: Readonly<Record<RawInput['side'], ReadonlySet<string>>>;
  readonly #rawNames: ReadonlyMap<ColumnState, string>;
  readonly #sequences: SequenceFields;

  constructor(options: { readonly version: string; readonly directory: string; readonly manifest: ExportManifest; readonly encoders: EncoderSet }) {
    const { version, directory, manifest, encoders } = options;
    this.version = version;
    this.directory = directory;
    this.manifest = manifest;
    this.encoders = encoders;
    this.key = `${manifest.surface}/${version}`;
    this.digest = digestOf(manifest);
    this.inputs = inputsOf(encoders, manifest);
    this.#encoder = createEncoder(encoders);
    this.#columns = packedColumns(encoders.columns);
    this.#surfaceIndex = encoders.surfaces.indexOf(manifest.surface);
    const prefix = `${manifest.surface}/`;
    const own = encoders.viewTypes.flatMap((name, index): [string, number][] => (name.startsWith(prefix) ? [[name.slice(prefix.length), index]] : []));
    this.#viewTypeIndex = new Map(own);
    this.viewTypes = own.map(([name]) => name);
    const read = (side: RawInput['side']): ReadonlySet<string> => new Set(this.inputs.flatMap((input) => (input.side === side ? [input.name] : [])));
    this.#read = { request: read('request'), candidate: read('candidate') };
    this.served = { surface: manifest.surface, version, digest: this.digest, isCurrent: false, tasks: manifest.tasks, viewTypes: this.viewTypes, inputs: this.inputs };
    this.#sequences = sequenceFields(this.inputs);
    this.#rawNames = new Map(encoders.columns.map((state) => [state, rawColumnName(state, encoders)]));
  }

  get surface(): string {
    return this.manifest.surface;
  }

  get tasks(): readonly string[] {
    return this.manifest.tasks;
  }

  /**
   * Encodes a request as training would.
   *
   * @throws RequestError `invalid` when a value has another shape than its feature
   */
  prepare(request: RawRequest): PreparedRequest {
    const defaults = new Defaults();
    const viewType = this.#viewTypeOf(request, defaults);
    const given = wholeSequences(request.requestColumns, this.#sequences, request.time, (sequence, reason) => {
      defaults.add(sequence, reason, 1);
    });
    const context = { surfaces: this.#surfaceIndex, serving: true };
    try {
      const requestColumns = this.#encoder.encodeRows('request', given, 1, { ...context, requestTimes: Float64Array.of(request.time) });
      const candidateColumns = this.#encoder.encodeRows('candidate', request.candidateColumns, request.candidateCount, {
        ...context,
        requestTimes: new Float64Array(request.candidateCount).fill(request.time),
      });
      let events = 0;
      for (const state of this.encoders.columns) {
        const [columns, raw] = state.side === 'request' ? [requestColumns, given] : [candidateColumns, request.candidateColumns];
        const column = columns.get(state.name)!;
        if (state.side === 'request' && column.kind === 'ids') events = Math.max(events, column.values.length);
        this.#countDefaults(defaults, state, column, raw);
      }
      const packed = packRequest(this.#columns, { candidateCount: request.candidateCount, viewType, requestColumns, candidateColumns });
      return { packed, events, defaulted: defaults.list(), ignored: this.#ignored(request) };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      throw new RequestError('invalid', error.message, { cause: error, ...(error.where === undefined ? {} : { path: error.where }), ...(error.expected === undefined ? {} : { expected: error.expected }) });
    }
  }

  #viewTypeOf({ viewType }: RawRequest, defaults: Defaults): number {
    const hasViewTypes = this.manifest.source.surface.viewType !== undefined;
    if (viewType === undefined && hasViewTypes) defaults.add(VIEW_TYPE, 'missing', 1);
    const index = viewType === undefined && hasViewTypes ? undefined : this.#viewTypeIndex.get(viewType ?? this.surface);
    if (index === undefined && viewType !== undefined) defaults.add(VIEW_TYPE, 'unknown', 1);
    return index ?? 0;
  }

  #countDefaults(defaults: Defaults, state: ColumnState, column: Column, raw: ReadonlyMap<string, RawColumn>): void {
    if (state.serveAs !== undefined) return;
    const given = raw.get(this.#rawNames.get(state)!);
    const reason = given === undefined ? 'missing' : 'null';
    switch (column.kind) {
      case 'id':
        defaults.add(state.feature, reason, countEqual(column.values, MISSING_ROW));
        defaults.add(state.feature, 'unknown', countEqual(column.values, UNKNOWN_ROW));
        return;
      case 'number':
        defaults.add(state.feature, reason, countMissing(column.values, 1));
        return;
      case 'vector':
        defaults.add(state.feature, reason, countMissing(column.values, column.size));
        return;
      case 'ids':
        // An empty list is a value: a user without a history has none.
        if (given === undefined) defaults.add(state.feature, reason, column.offsets.length - 1);
        else defaults.add(state.feature, 'unknown', listsWithUnknown(column.offsets, column.values));
    }
  }

  /** A feature of the other side is not read either. */
  #ignored({ requestColumns, candidateColumns }: RawRequest): readonly string[] {
    const ignored: string[] = [];
    for (const name of requestColumns.keys()) if (!this.#read.request.has(name)) ignored.push(name);
    for (const name of candidateColumns.keys()) if (!this.#read.candidate.has(name)) ignored.push(name);
    return ignored;
  }
}
