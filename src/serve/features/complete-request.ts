/** Fills in what a request does not have itself. */
import type { RawColumn } from '../../data/raw-column.js';
import { readColumn } from '../json/raw-values.js';
import { isTime, type RawInput, type RawRequest, type ServedSurface } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { KEPT_EVENTS, type FeatureStore, type FeatureValues, type StoreAnswer, type StoredEvents } from './feature-store.js';
import { lookupInTime } from './guarded-store.js';

const TIME = '@time';

/** A column out of the store; a value that does not fit its feature reads as missing. */
const columnOf = (input: RawInput, count: number, at: (row: number) => unknown): RawColumn => {
  try {
    return readColumn(input, count, at, () => input.name);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return readColumn(input, count, (row) => fitting(input, at(row)), () => input.name);
  }
};

const DECIMAL = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/iu;

/** Texts of numbers as numbers: training reads them so, whatever type the column has that they come from. */
const numbersIn = (value: unknown): unknown => {
  if (typeof value === 'string') return DECIMAL.test(value) ? Number(value) : null;
  return Array.isArray(value) ? value.map(numbersIn) : value;
};

/** The value as one of the feature, or null where it cannot be one. */
const fitting = (input: RawInput, value: unknown): unknown => {
  const fits = input.type === 'number' && !isTime(input) ? numbersIn(value) : value;
  try {
    readColumn(input, 1, () => fits, () => input.name);
    return fits;
  } catch {
    return null;
  }
};

const valueIn = (values: FeatureValues | undefined, name: string): unknown => (values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined);

const historyColumn = (input: RawInput, events: StoredEvents): RawColumn => {
  const field = input.name.slice(input.sequence!.length + 1);
  const values = field === TIME ? events.times : (events.fields[field] ?? new Array<null>(events.times.length).fill(null));
  return columnOf(input, 1, () => values);
};

/** Columns that requests lack, by side. */
interface Lacking {
  readonly user: readonly RawInput[];
  readonly history: readonly RawInput[];
  readonly items: readonly RawInput[];
  readonly sequences: readonly string[];
}

const lackingOf = ({ requestColumns, candidateColumns, userId, itemIds }: RawRequest, { inputs }: ServedSurface): Lacking => {
  const ofRequest = userId === undefined ? [] : inputs.filter(({ side, name }) => side === 'request' && !requestColumns.has(name));
  // A history is of one source: a request that has some field of it has all of it.
  const given = new Set(inputs.flatMap(({ name, sequence }) => (sequence !== undefined && requestColumns.has(name) ? [sequence] : [])));
  const history = ofRequest.filter(({ sequence }) => sequence !== undefined && !given.has(sequence));
  return {
    user: ofRequest.filter(({ sequence }) => sequence === undefined),
    history,
    items: itemIds === undefined ? [] : inputs.filter(({ side, name }) => side === 'candidate' && !candidateColumns.has(name)),
    sequences: [...new Set(history.map(({ sequence }) => sequence!))],
  };
};

/** Newest events that are encoded of any of these histories; more are not asked for. */
const eventLimit = (history: readonly RawInput[]): number => history.reduce((most, { maxLength = KEPT_EVENTS }) => Math.max(most, maxLength), 1);

const completed = (request: RawRequest, lacking: Lacking, answer: StoreAnswer): RawRequest => {
  const requestColumns = new Map(request.requestColumns);
  for (const input of lacking.user) {
    const value = valueIn(answer.user, input.name);
    if (value !== undefined) requestColumns.set(input.name, columnOf(input, 1, () => value));
  }
  for (const input of lacking.history) requestColumns.set(input.name, historyColumn(input, answer.events[lacking.sequences.indexOf(input.sequence!)]!));
  const candidateColumns = new Map(request.candidateColumns);
  for (const input of lacking.items) {
    if (answer.items.some((item) => valueIn(item, input.name) !== undefined)) {
      candidateColumns.set(input.name, columnOf(input, request.candidateCount, (row) => valueIn(answer.items[row], input.name)));
    }
  }
  return { ...request, requestColumns, candidateColumns };
};

/**
 * A request with the columns that it lacks, as far as the store has them: the user's features and histories by its user id,
 * histories ending strictly before its time, and its candidates' by their item ids. What the request has itself stays.
 *
 * @returns the names of what could not be looked up as well: `user`, `items` and sequences; empty when the store answered
 */
export const completeRequest = async (
  request: RawRequest,
  surface: ServedSurface,
  store: FeatureStore,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<{ readonly request: RawRequest; readonly degraded: readonly string[] }> => {
  const lacking = lackingOf(request, surface);
  const needsUser = lacking.user.length + lacking.history.length > 0;
  const needsItems = lacking.items.length > 0 && request.candidateCount > 0;
  if (!needsUser && !needsItems) return { request, degraded: [] };
  const query = { userId: needsUser ? request.userId : undefined, itemIds: needsItems ? request.itemIds! : [], sequences: lacking.sequences, before: request.time, limit: eventLimit(lacking.history) };
  const answer = await lookupInTime(store, query, timeoutMs);
  if (answer === undefined) return { request, degraded: [...(lacking.user.length > 0 ? ['user'] : []), ...lacking.sequences, ...(needsItems ? ['items'] : [])] };
  return { request: completed(request, lacking, answer), degraded: [] };
};
