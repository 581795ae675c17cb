/** How many requests and candidates a call has, and which candidates are whose. */
import type { RawInput } from '../raw-request.js';
import { RequestError } from '../request-error.js';
import type { InferLimits } from './infer-call.js';
import { wholeNumbers } from './tensor-columns.js';
import type { InputTensor } from './tensors.js';

/** Inputs that every surface takes. */
export const SPECIAL = {
  viewType: '@view_type',
  time: '@time',
  userId: '@user_id',
  requestId: '@request_id',
  itemId: '@item_id',
  rowToRequest: 'row_to_request',
} as const;

const REQUEST_SPECIALS: ReadonlySet<string> = new Set([SPECIAL.viewType, SPECIAL.time, SPECIAL.userId, SPECIAL.requestId]);
const SPECIALS: ReadonlySet<string> = new Set(Object.values(SPECIAL));

const LENGTHS = '.lengths';
const VALID = '.valid';

/**
 * A tensor without the elements that another says are missing: bytes have no null.
 *
 * @throws RequestError `invalid`
 */
const withValid = (tensor: InputTensor, mask: InputTensor): InputTensor => {
  const isValid = wholeNumbers(mask);
  const { values } = tensor;
  if (isValid.length !== values.values.length) {
    throw new RequestError('invalid', `input "${mask.name}" has ${isValid.length} elements, "${tensor.name}" has ${values.values.length}`, { path: mask.path, expected: 'one for each element: 1, or 0 where it is missing' });
  }
  if (values.type === 'string') return { ...tensor, values: { type: 'string', values: values.values.map((value, at) => (isValid[at] === 0 ? null : value)) } };
  return { ...tensor, values: { ...values, valid: (at) => isValid[at] !== 0 && values.valid(at) } };
};

export interface CallRows {
  readonly requests: number;
  readonly candidates: number;
  /** Request r has candidates `starts[r]` to before `starts[r + 1]`. */
  readonly starts: Int32Array;
}

/** A call's inputs as far as a surface knows them. */
export class NamedInputs {
  readonly #tensors: ReadonlyMap<string, InputTensor>;
  readonly #known: ReadonlyMap<string, RawInput>;
  /** Those that are values: neither special ones nor lengths of others, nor which elements of them are valid. */
  readonly values: readonly InputTensor[];

  /** @throws RequestError `invalid` when two inputs have one name */
  constructor(tensors: readonly InputTensor[], known: ReadonlyMap<string, RawInput>) {
    const named = new Map<string, InputTensor>();
    for (const tensor of tensors) {
      if (named.has(tensor.name)) throw new RequestError('invalid', `input "${tensor.name}" is given twice`, { path: tensor.path, expected: 'one input of each name' });
      named.set(tensor.name, tensor);
    }
    this.#known = known;
    const masks = new Set<InputTensor>();
    for (const tensor of tensors) {
      const mask = known.has(`${tensor.name}${VALID}`) ? undefined : named.get(`${tensor.name}${VALID}`);
      if (mask === undefined) continue;
      masks.add(mask);
      named.set(tensor.name, withValid(tensor, mask));
    }
    this.#tensors = named;
    const lengths = new Set<InputTensor | undefined>();
    for (const { name } of named.values()) lengths.add(this.lengthsOf(name));
    this.values = [...named.values()].filter((tensor) => !SPECIALS.has(tensor.name) && !lengths.has(tensor) && !masks.has(tensor));
  }

  special(name: string): InputTensor | undefined {
    return this.#tensors.get(name);
  }

  known(name: string): RawInput | undefined {
    return this.#known.get(name);
  }

  /** How many elements each row of an input has: its own lengths, or those of all fields of its sequence. */
  lengthsOf(name: string): InputTensor | undefined {
    return this.#lengthsNamed(name) ?? this.#lengthsNamed(this.#known.get(name)?.sequence);
  }

  #lengthsNamed(name: string | undefined): InputTensor | undefined {
    const lengths = `${name ?? ''}${LENGTHS}`;
    return name === undefined || this.#known.has(lengths) ? undefined : this.#tensors.get(lengths);
  }
}

/** First dimension of the first input that a side's rows can be counted by. */
const rowsBy = (inputs: NamedInputs, side: RawInput['side']): number | undefined => {
  for (const tensor of inputs.values) {
    const input = inputs.known(tensor.name);
    if (input?.side !== side) continue;
    const lengths = inputs.lengthsOf(tensor.name);
    if (lengths !== undefined) return lengths.shape[0] ?? 1;
    // A single list of the request side may come without the dimension of requests.
    if (input.form === 'scalar' || side === 'candidate' || tensor.shape.length > 1) return tensor.shape[0] ?? 1;
  }
  return undefined;
};

const countRequests = (inputs: NamedInputs, owners: Float64Array): number => {
  for (const name of REQUEST_SPECIALS) {
    const tensor = inputs.special(name);
    if (tensor !== undefined) return tensor.shape[0] ?? 1;
  }
  return rowsBy(inputs, 'request') ?? owners.reduce((most, owner) => Math.max(most, owner + 1), 1);
};

const checkCount = (count: number, what: string, { maxCandidates }: InferLimits): void => {
  if (count > maxCandidates) throw new RequestError('too_large', `the call has ${count} ${what}`, { path: 'inputs', expected: `at most ${maxCandidates}` });
};

/**
 * @throws RequestError `invalid` when nothing tells how many candidates there are, or `row_to_request` is not ascending;
 * `too_large`
 */
export const countRows = (inputs: NamedInputs, limits: InferLimits): CallRows => {
  const rowToRequest = inputs.special(SPECIAL.rowToRequest);
  if (rowToRequest === undefined) {
    const itemIds = inputs.special(SPECIAL.itemId);
    const candidates = itemIds === undefined ? rowsBy(inputs, 'candidate') : (itemIds.shape[0] ?? 1);
    if (candidates === undefined) throw new RequestError('invalid', 'nothing tells how many candidates there are', { path: 'inputs', expected: `an input of the candidates, or ${SPECIAL.itemId}` });
    checkCount(candidates, 'candidates', limits);
    return { requests: 1, candidates, starts: Int32Array.of(0, candidates) };
  }
  const candidates = rowToRequest.values.values.length;
  checkCount(candidates, 'candidates', limits);
  const owners = wholeNumbers(rowToRequest);
  const requests = countRequests(inputs, owners);
  checkCount(requests, 'requests', limits);
  const { maxQueue = requests } = limits;
  if (requests > Math.max(1, maxQueue)) throw new RequestError('too_large', `the call has ${requests} requests`, { path: 'inputs', expected: `at most ${maxQueue}: --max-queue of the server` });
  const starts = new Int32Array(requests + 1);
  let previous = 0;
  for (const [row, owner] of owners.entries()) {
    if (owner < previous || owner >= requests) {
      throw new RequestError('invalid', `element ${row} of "${SPECIAL.rowToRequest}" is ${owner}`, { path: rowToRequest.path, expected: `ascending numbers below ${requests}, the number of requests` });
    }
    previous = owner;
    starts[owner + 1] = row + 1;
  }
  // Requests without candidates end where the one before them did.
  for (let request = 1; request <= requests; request += 1) starts[request] = Math.max(starts[request]!, starts[request - 1]!);
  return { requests, candidates, starts };
};

