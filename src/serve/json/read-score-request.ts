/** `POST /v1/score`: from JSON to a raw request. */
import { parseMoment } from '../../config/moment.js';
import { didYouMean } from '../../config/suggest.js';
import type { RawColumn } from '../../data/raw-column.js';
import type { RawInput, RawRequest, ServedSurface } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import type { RequestNames } from '../unscored.js';
import { EXACT, isExact } from './exact-text.js';
import { misfit, readColumn, UNREAD } from './raw-values.js';

type JsonObject = Readonly<Record<string, unknown>>;

export interface ScoreLimits {
  readonly maxCandidates: number;
}

export interface ReadScoreOptions extends ScoreLimits {
  /** What is loaded, for the error of a request that names something else. */
  readonly loaded?: () => readonly ServedSurface[];
}

const KEYS = ['surface', 'viewType', 'version', 'requestId', 'userId', 'time', 'features', 'candidates', 'itemIds', 'tasks', 'timeoutMs'] as const;

const CANDIDATES = 'a list of candidates, or an object of lists';

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (object: JsonObject, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined);

/** Inputs of a surface by side, and its sequences' fields. */
interface Reader {
  readonly request: ReadonlyMap<string, RawInput>;
  readonly candidate: ReadonlyMap<string, RawInput>;
  /** By sequence: field → input. */
  readonly sequences: ReadonlyMap<string, ReadonlyMap<string, RawInput>>;
}

const readers = new WeakMap<ServedSurface, Reader>();

const readerOf = (surface: ServedSurface): Reader => {
  const known = readers.get(surface);
  if (known !== undefined) return known;
  const side = (wanted: RawInput['side']): Map<string, RawInput> => new Map(surface.inputs.filter((input) => input.side === wanted).map((input) => [input.name, input]));
  const sequences = new Map<string, Map<string, RawInput>>();
  for (const input of surface.inputs) {
    if (input.sequence === undefined) continue;
    const fields = sequences.get(input.sequence) ?? new Map<string, RawInput>();
    sequences.set(input.sequence, fields.set(input.name.slice(input.sequence.length + 1), input));
  }
  const made = { request: side('request'), candidate: side('candidate'), sequences };
  readers.set(surface, made);
  return made;
};

const textAt = (body: JsonObject, key: string): string | undefined => {
  const value = own(body, key);
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && isExact(value)) return String(value);
  throw misfit(key, value, typeof value === 'number' ? EXACT : 'a text');
};

/** What a body names, whatever else it is: for what is told of requests that cannot be read. */
export const namesIn = (body: unknown): RequestNames => {
  const text = (key: string): string | undefined => {
    const value = isObject(body) ? own(body, key) : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  return { surface: text('surface'), version: text('version'), requestId: text('requestId') };
};

const timeOf = (body: JsonObject): number => {
  const value = own(body, 'time');
  if (value === undefined || value === null) return Date.now();
  const time = typeof value === 'string' ? parseMoment(value) : value;
  if (typeof time === 'number' && Number.isFinite(time) && Math.abs(time) <= 8.64e15) return time;
  throw misfit('time', value, 'epoch milliseconds, or a text such as 2025-01-31T12:00:00Z (UTC where it names no zone)');
};

const deadlineOf = (body: JsonObject): number | undefined => {
  const value = own(body, 'timeoutMs');
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return performance.now() + value;
  throw misfit('timeoutMs', value, 'milliseconds, more than 0');
};

const tasksOf = (body: JsonObject): readonly string[] | undefined => {
  const value = own(body, 'tasks');
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw misfit('tasks', value, 'a list of task names');
  const wrong = value.findIndex((task) => typeof task !== 'string');
  if (wrong >= 0) throw misfit(`tasks[${wrong}]`, value[wrong], 'the name of a task');
  return [...new Set(value as readonly string[])];
};

const duplicate = (name: string, sequence: string): RequestError =>
  new RequestError('invalid', `features has "${name}", and a "${sequence}" that holds it`, { path: `features.${name}`, expected: 'one of the two' });

/** Adds a sequence given as rows, or as columns. */
const addSequence = (columns: Map<string, RawColumn>, sequence: string, fields: ReadonlyMap<string, RawInput>, value: unknown, given: JsonObject): void => {
  if (value === null) return;
  const path = `features.${sequence}`;
  for (const { name } of fields.values()) if (Object.hasOwn(given, name)) throw duplicate(name, sequence);
  if (Array.isArray(value)) {
    const events = value as readonly unknown[];
    for (const [index, event] of events.entries()) {
      if (!isObject(event)) throw misfit(`${path}[${index}]`, event, `an object with ${[...fields.keys()].join(', ')}`);
    }
    const rows = events as readonly JsonObject[];
    for (const [field, input] of fields) {
      const child = readColumn({ ...input, form: 'scalar' }, rows.length, (row) => own(rows[row]!, field), (row) => `${path}[${row}].${field}`);
      columns.set(input.name, { type: 'list', offsets: Int32Array.of(0, rows.length), valid: () => true, child });
    }
    for (const field of Object.keys(rows[0] ?? {})) if (!fields.has(field)) columns.set(`${sequence}.${field}`, UNREAD);
    return;
  }
  if (!isObject(value)) throw misfit(path, value, 'a list of events, or an object of lists');
  for (const field of Object.keys(value)) {
    const input = fields.get(field);
    columns.set(`${sequence}.${field}`, input === undefined ? UNREAD : readColumn(input, 1, () => value[field], () => `${path}.${field}`));
  }
};

/** Fields of one sequence are of the same events. */
const checkSequences = (columns: ReadonlyMap<string, RawColumn>, { sequences }: Reader): void => {
  for (const [sequence, fields] of sequences) {
    let length: number | undefined;
    for (const { name } of fields.values()) {
      const column = columns.get(name);
      if (column?.type !== 'list' || !column.valid(0)) continue;
      const own = column.offsets[1]!;
      if (length !== undefined && own !== length) {
        throw new RequestError('invalid', `features.${name} has ${own} events, another field of "${sequence}" has ${length}`, { path: `features.${name}`, expected: 'lists of one length, oldest event first' });
      }
      length = own;
    }
  }
};

const readFeatures = (value: unknown, reader: Reader): Map<string, RawColumn> => {
  const columns = new Map<string, RawColumn>();
  if (value === undefined || value === null) return columns;
  if (!isObject(value)) throw misfit('features', value, 'an object of feature values');
  for (const name of Object.keys(value)) {
    const fields = reader.sequences.get(name);
    const input = reader.request.get(name);
    if (fields !== undefined) addSequence(columns, name, fields, value[name], value);
    else if (input === undefined) columns.set(name, UNREAD);
    else columns.set(name, readColumn(input, 1, () => value[name], () => `features.${name}`));
  }
  checkSequences(columns, reader);
  return columns;
};

interface Candidates {
  readonly count: number;
  readonly columns: Map<string, RawColumn>;
}

/** A list of candidates: a column for each name that any of them has. */
const readRows = (rows: readonly unknown[], { candidate }: Reader): Candidates => {
  const columns = new Map<string, RawColumn>();
  const names = new Set<string>();
  for (const [index, row] of rows.entries()) {
    if (!isObject(row)) throw misfit(`candidates[${index}]`, row, 'an object of feature values');
    for (const name in row) names.add(name);
  }
  const objects = rows as readonly JsonObject[];
  for (const name of names) {
    const input = candidate.get(name);
    // Only objects' own values: "constructor" is no feature of every candidate.
    columns.set(name, input === undefined ? UNREAD : readColumn(input, rows.length, (row) => (Object.hasOwn(objects[row]!, name) ? objects[row]![name] : undefined), (row) => `candidates[${row}].${name}`));
  }
  return { count: rows.length, columns };
};

/** An object of lists, one value a candidate each. */
const readLists = (value: JsonObject, { candidate }: Reader, ids: readonly unknown[] | undefined): Candidates => {
  const columns = new Map<string, RawColumn>();
  let count = ids?.length;
  for (const name of Object.keys(value)) {
    const list = value[name];
    if (!Array.isArray(list)) throw misfit(`candidates.${name}`, list, 'a list with a value for each candidate');
    count ??= list.length;
    if (list.length !== count) throw new RequestError('invalid', `candidates.${name} has ${list.length} values, others have ${count}`, { path: `candidates.${name}`, expected: 'lists of one length' });
    const input = candidate.get(name);
    columns.set(name, input === undefined ? UNREAD : readColumn(input, count, (row) => list[row] as unknown, (row) => `candidates.${name}[${row}]`));
  }
  return { count: count ?? 0, columns };
};

const itemIdsOf = (body: JsonObject): readonly (string | null)[] | undefined => {
  const value = own(body, 'itemIds');
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw misfit('itemIds', value, 'a list with an id for each candidate');
  return value.map((id: unknown, index) => {
    if (typeof id === 'string' || id === null) return id;
    if (typeof id === 'number' && isExact(id)) return String(id);
    throw misfit(`itemIds[${index}]`, id, typeof id === 'number' ? EXACT : 'a text, or null');
  });
};

const checkSize = (count: number, { maxCandidates }: ScoreLimits, path: string): void => {
  if (count > maxCandidates) throw new RequestError('too_large', `${count} candidates`, { path, expected: `at most ${maxCandidates}` });
};

const readCandidates = (body: JsonObject, reader: Reader, limits: ScoreLimits, itemIds: readonly (string | null)[] | undefined): Candidates => {
  const value = own(body, 'candidates') ?? undefined;
  let read: Candidates;
  if (value === undefined) {
    if (itemIds === undefined) throw new RequestError('invalid', 'neither candidates nor itemIds is given', { path: 'candidates', expected: `${CANDIDATES}; or itemIds alone` });
    // All that is known of them is in the feature store.
    checkSize(itemIds.length, limits, 'itemIds');
    read = { count: itemIds.length, columns: new Map() };
  } else if (Array.isArray(value)) {
    checkSize(value.length, limits, 'candidates');
    read = readRows(value, reader);
  } else if (isObject(value)) {
    const longest = Object.values(value).reduce<number>((most, list) => Math.max(most, Array.isArray(list) ? list.length : 0), itemIds?.length ?? 0);
    checkSize(longest, limits, 'candidates');
    read = readLists(value, reader, itemIds);
  } else throw misfit('candidates', value, CANDIDATES);
  if (itemIds !== undefined && itemIds.length !== read.count) {
    throw new RequestError('invalid', `itemIds has ${itemIds.length} ids for ${read.count} candidates`, { path: 'itemIds', expected: 'an id for each candidate' });
  }
  return read;
};

const checkKeys = (body: JsonObject): void => {
  for (const key in body) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    throw new RequestError('invalid', `"${key}" is nothing of a request`, { path: key, expected: didYouMean(key, KEYS) });
  }
};

const notLoaded = (name: string, version: string | undefined, loaded: readonly ServedSurface[]): RequestError => {
  const versions = loaded.flatMap((one) => (one.surface === name ? [one.version] : []));
  const known = versions.length > 0 ? versions : [...new Set(loaded.map(({ surface }) => surface))];
  // A version of a surface that there is not is the surface's mistake.
  const isVersion = version !== undefined && (versions.length > 0 || loaded.length === 0);
  const message = isVersion ? `no version "${version}" of "${name}" is loaded` : `no surface "${name}" is loaded`;
  return new RequestError('not_found', message, { path: isVersion ? 'version' : 'surface', expected: known.length === 0 ? 'one of those at /v2/repository/index' : `one of ${known.join(', ')}` });
};

/**
 * Reads the body of a score request: features by name, candidates as rows, as columns, or by their ids alone.
 *
 * @param surfaceOf what a loaded version reads; undefined: it is not loaded
 * @throws RequestError `invalid` with the path of the first value that does not fit, `not_found`, `too_large`
 */
export const readScoreRequest = (body: unknown, surfaceOf: (surface: string, version?: string) => ServedSurface | undefined, limits: ReadScoreOptions): RawRequest => {
  if (!isObject(body)) throw misfit('the body', body, 'a JSON object');
  checkKeys(body);
  const name = own(body, 'surface');
  if (typeof name !== 'string') throw misfit('surface', name, 'the name of a surface');
  const version = textAt(body, 'version');
  const surface = surfaceOf(name, version);
  if (surface === undefined) {
    throw notLoaded(name, version, limits.loaded?.() ?? []);
  }
  const reader = readerOf(surface);
  const itemIds = itemIdsOf(body);
  const { count, columns } = readCandidates(body, reader, limits, itemIds);
  const [viewType, requestId, userId, tasks, deadline] = [textAt(body, 'viewType'), textAt(body, 'requestId'), textAt(body, 'userId'), tasksOf(body), deadlineOf(body)];
  return {
    surface: name,
    time: timeOf(body),
    candidateCount: count,
    requestColumns: readFeatures(own(body, 'features'), reader),
    candidateColumns: columns,
    ...(version === undefined ? {} : { version }),
    ...(viewType === undefined ? {} : { viewType }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(userId === undefined ? {} : { userId }),
    ...(itemIds === undefined ? {} : { itemIds }),
    ...(tasks === undefined ? {} : { tasks }),
    ...(deadline === undefined ? {} : { deadline }),
  };
};
