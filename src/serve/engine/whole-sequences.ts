/** Histories as training has them: every field of the same events, oldest first, all of them before the request. */
import type { RawColumn, RawLists, RawNumbers } from '../../data/raw-column.js';
import { isTime, type DefaultReason, type RawInput, type RawRequest } from '../raw-request.js';
import { RequestError } from '../request-error.js';

/** Request-side fields of each sequence, by its name. */
export type SequenceFields = ReadonlyMap<string, readonly RawInput[]>;

export const sequenceFields = (inputs: readonly RawInput[]): SequenceFields => {
  const fields = new Map<string, RawInput[]>();
  for (const input of inputs) {
    if (input.sequence === undefined || input.side !== 'request') continue;
    const known = fields.get(input.sequence) ?? [];
    known.push(input);
    fields.set(input.sequence, known);
  }
  return fields;
};

type Columns = RawRequest['requestColumns'];

/** A history that was given: a list in the only row. */
const givenList = (column: RawColumn | undefined): RawLists | undefined => (column?.type === 'list' && column.valid(0) ? column : undefined);

const nulls = (type: RawInput['type'], count: number): RawColumn =>
  type === 'text' ? { type: 'string', values: new Array<null>(count).fill(null) } : { type: 'number', values: new Float64Array(count).fill(NaN), valid: () => false };

const listOf = (child: RawColumn, length: number): RawLists => ({ type: 'list', offsets: Int32Array.of(0, length), valid: () => true, child });

/** Events in the order of training, by their places; undefined where they are in it already. Those without a time stay where they are. */
const trainingOrder = (times: RawNumbers, from: number, length: number, before: number): readonly number[] | undefined => {
  let [isSorted, isPast, isTimed] = [true, true, true];
  let last = -Infinity;
  for (let at = from; at < from + length; at += 1) {
    if (!times.valid(at)) {
      isTimed = false;
      continue;
    }
    const time = times.values[at]!;
    if (time >= before) isPast = false;
    if (time < last) isSorted = false;
    last = time;
  }
  if (isPast && (isSorted || !isTimed)) return undefined;
  const kept = Array.from({ length }, (_, index) => from + index).filter((at) => !times.valid(at) || times.values[at]! < before);
  return isTimed ? kept.sort((a, b) => times.values[a]! - times.values[b]!) : kept;
};

const pick = (column: RawLists, places: readonly number[]): RawLists => {
  const { child } = column;
  if (child.type === 'string') return listOf({ type: 'string', values: places.map((at) => child.values[at] ?? null) }, places.length);
  if (child.type === 'number') return listOf({ type: 'number', values: Float64Array.from(places, (at) => child.values[at]!), valid: (row) => child.valid(places[row]!) }, places.length);
  throw new TypeError('a field of an event is no list');
};

/**
 * The columns of a request with whole histories: a field that was not given is missing in each event, events are put oldest first,
 * and those at or after the request's time are left out, as what came of the request itself would be among them.
 *
 * @param onDefault told of what was not as it should be
 * @throws RequestError `invalid` when two fields are of another number of events
 */
export const wholeSequences = (columns: Columns, sequences: SequenceFields, before: number, onDefault: (sequence: string, reason: DefaultReason) => void): Columns => {
  let whole: Map<string, RawColumn> | undefined;
  for (const [sequence, fields] of sequences) {
    let length: number | undefined;
    for (const { name } of fields) {
      const column = givenList(columns.get(name));
      if (column === undefined) continue;
      const own = column.offsets[1]! - column.offsets[0]!;
      if (length !== undefined && own !== length) {
        throw new RequestError('invalid', `"${name}" has ${own} events, another field of "${sequence}" has ${length}`, { path: name, expected: 'fields of one length, oldest event first' });
      }
      length = own;
    }
    if (length === undefined || length === 0) continue;
    for (const { name, type } of fields) {
      const column = columns.get(name);
      if (givenList(column) !== undefined) continue;
      onDefault(sequence, column === undefined ? 'missing' : 'null');
      whole ??= new Map(columns);
      whole.set(name, listOf(nulls(type, length), length));
    }
    const timed = fields.find(isTime);
    const times = timed === undefined ? undefined : givenList((whole ?? columns).get(timed.name));
    if (times?.child.type !== 'number') continue;
    const places = trainingOrder(times.child, times.offsets[0]!, length, before);
    if (places === undefined) continue;
    if (places.length < length) onDefault(sequence, 'late');
    whole ??= new Map(columns);
    const first = times.offsets[0]!;
    for (const { name } of fields) {
      const column = whole.get(name) as RawLists;
      whole.set(name, pick(column, places.map((at) => at - first + column.offsets[0]!)));
    }
  }
  return whole ?? columns;
};
