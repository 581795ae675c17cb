/** Named tensors as raw requests of a surface. */
import type { RawColumn } from '../../data/raw-column.js';
import type { RawInput, RawRequest, ServedSurface } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import { countRows, NamedInputs, SPECIAL, type CallRows } from './call-rows.js';
import type { InferCall, InferLimits } from './infer-call.js';
import { checkScalar, listColumn, scalarColumn, sliceRows, textsOf, wholeNumbers } from './tensor-columns.js';
import type { InputTensor } from './tensors.js';

type Columns = Map<string, RawColumn>;

interface Sides {
  readonly request: Columns;
  readonly candidate: Columns;
  /** Names of inputs that the version does not read: nothing else of them is kept, whatever their number and shapes. */
  readonly unread: string[];
}

/** By the list of inputs, which a loaded version keeps. */
const inputMaps = new WeakMap<readonly RawInput[], ReadonlyMap<string, RawInput>>();

const inputMapOf = ({ inputs }: ServedSurface): ReadonlyMap<string, RawInput> => {
  let map = inputMaps.get(inputs);
  if (map === undefined) {
    map = new Map(inputs.map((input) => [input.name, input]));
    inputMaps.set(inputs, map);
  }
  return map;
};

/** Fields of one sequence are of the same events. */
class SequenceLengths {
  readonly #first = new Map<string, { readonly name: string; readonly offsets: Int32Array }>();

  /** @throws RequestError `invalid` when another field of the sequence has lists of other lengths */
  check({ name, path }: InputTensor, sequence: string, column: RawColumn): void {
    if (column.type !== 'list') return;
    const first = this.#first.get(sequence);
    if (first === undefined) this.#first.set(sequence, { name, offsets: column.offsets });
    else if (column.offsets.some((offset, row) => offset !== first.offsets[row])) {
      throw new RequestError('invalid', `input "${name}" has other numbers of events than "${first.name}"`, { path, expected: `lists of one length in all fields of "${sequence}", oldest event first` });
    }
  }
}

const columnsOf = (inputs: NamedInputs, rows: CallRows): Sides => {
  const sides: Sides = { request: new Map(), candidate: new Map(), unread: [] };
  const sequences = new SequenceLengths();
  for (const tensor of inputs.values) {
    const input = inputs.known(tensor.name);
    if (input === undefined) {
      sides.unread.push(tensor.name);
      continue;
    }
    const { side, type, form } = input;
    const count = side === 'request' ? rows.requests : rows.candidates;
    const lengths = inputs.lengthsOf(tensor.name);
    const column = form === 'scalar' ? scalarColumn(tensor, lengths, count, type) : listColumn(tensor, lengths, count, input, side === 'request');
    if (input.sequence !== undefined) sequences.check(tensor, input.sequence, column);
    sides[side].set(tensor.name, column);
  }
  return sides;
};

const textsNamed = (inputs: NamedInputs, name: string, rows: number): readonly (string | null)[] | undefined => {
  const tensor = inputs.special(name);
  if (tensor === undefined) return undefined;
  checkScalar(tensor, rows);
  return textsOf(tensor);
};

const timesOf = (inputs: NamedInputs, rows: number): ArrayLike<number> => {
  const tensor = inputs.special(SPECIAL.time);
  if (tensor === undefined) return new Float64Array(rows).fill(Date.now());
  checkScalar(tensor, rows);
  return wholeNumbers(tensor);
};

const sliceAll = (columns: Columns, from: number, to: number, rows: number): ReadonlyMap<string, RawColumn> =>
  from === 0 && to === rows ? columns : new Map([...columns].map(([name, column]) => [name, sliceRows(column, from, to, rows)]));

const checkOutputs = ({ outputs }: InferCall, { surface, tasks }: ServedSurface): void => {
  const unknown = outputs.findIndex((name) => !tasks.includes(name));
  if (unknown >= 0) throw new RequestError('not_found', `"${surface}" has no output "${outputs[unknown]!}"`, { path: `outputs[${unknown}].name`, expected: `one of ${tasks.join(', ')}` });
};

/** What a transport knows of a call beside its message. */
export type CallContext = Pick<RawRequest, 'signal' | 'trace' | 'arrived'>;

/**
 * The requests of a call, in their order: their candidates one after the other are the call's.
 *
 * @param surface the version that the call names, or the current one
 * @throws RequestError `invalid` naming the input; `too_large`; `not_found` for an output
 */
export const toRawRequests = (call: InferCall, surface: ServedSurface, limits: InferLimits, context: CallContext): readonly RawRequest[] => {
  checkOutputs(call, surface);
  const inputs = new NamedInputs(call.inputs, inputMapOf(surface));
  const rows = countRows(inputs, limits);
  const columns = columnsOf(inputs, rows);
  const viewTypes = textsNamed(inputs, SPECIAL.viewType, rows.requests);
  const userIds = textsNamed(inputs, SPECIAL.userId, rows.requests);
  const requestIds = textsNamed(inputs, SPECIAL.requestId, rows.requests);
  const itemIds = textsNamed(inputs, SPECIAL.itemId, rows.candidates);
  const times = timesOf(inputs, rows.requests);
  // Ids stay apart where a call has several requests.
  const defaultId = (request: number): string | undefined => (call.id === undefined || rows.requests === 1 ? call.id : `${call.id}/${request}`);
  return Array.from({ length: rows.requests }, (_, request): RawRequest => {
    const [from, to] = [rows.starts[request]!, rows.starts[request + 1]!];
    const viewType = viewTypes?.[request] ?? undefined;
    const requestId = requestIds?.[request] ?? defaultId(request);
    const userId = userIds?.[request] ?? undefined;
    return {
      surface: call.model,
      time: times[request]!,
      candidateCount: to - from,
      requestColumns: sliceAll(columns.request, request, request + 1, rows.requests),
      candidateColumns: sliceAll(columns.candidate, from, to, rows.candidates),
      // One list for all: a copy for each would cost inputs times requests.
      ...(columns.unread.length === 0 ? {} : { unread: columns.unread }),
      ...(call.version === undefined ? {} : { version: call.version }),
      ...(viewType === undefined ? {} : { viewType }),
      ...(requestId === undefined ? {} : { requestId }),
      ...(userId === undefined ? {} : { userId }),
      ...(itemIds === undefined ? {} : { itemIds: itemIds.slice(from, to) }),
      ...(call.outputs.length === 0 ? {} : { tasks: call.outputs }),
      ...(call.deadline === undefined ? {} : { deadline: call.deadline }),
      ...context,
    };
  });
};
