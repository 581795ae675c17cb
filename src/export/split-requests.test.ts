import { describe, expect, it } from 'vitest';
import { input, parameter } from '../graph/inputs.js';
import { add } from '../graph/ops/add.js';
import { gather } from '../graph/ops/gather.js';
import { matmul } from '../graph/ops/matmul.js';
import { relu } from '../graph/ops/relu.js';
import { reshape } from '../graph/ops/reshape.js';
import { topologicalOrder } from '../graph/traverse.js';
import type { Tensor } from '../graph/tensor.js';
import { splitRequests } from './split-requests.js';

const rowToRequest = (): Tensor => input('row_to_request', 'int64', ['candidates']);
const user = (): Tensor => input('user', 'float32', ['requests', 4]);

const inputsOf = (outputs: Readonly<Record<string, Tensor>>): readonly string[] =>
  [...new Set(topologicalOrder(Object.values(outputs)).flatMap(({ kind, name }) => (kind === 'input' ? [name!] : [])))].sort();

describe('splitRequests', () => {
  it('cuts at the last rows of requests, and keeps candidates out of their half', () => {
    const encoded = relu(matmul(user(), parameter('w', [4, 3])));
    const score = add(gather(encoded, rowToRequest()), input('ad', 'float32', ['candidates', 3]));
    const { request, candidate, cut } = splitRequests({ click: score });
    expect(cut).toEqual([{ name: 'cut.0', rows: 'request', width: 3 }]);
    expect(request).toEqual({ 'cut.0': encoded });
    expect(inputsOf(request)).toEqual(['user']);
    expect(inputsOf(candidate)).toEqual(['ad', 'cut.0', 'row_to_request']);
  });

  it('computes what is in no row space in the candidate half, from the rows before it', () => {
    const tokens = relu(input('events', 'float32', ['tokens:history', 6]));
    const heads = reshape(tokens, ['tokens:history*2', 3]);
    const rectangle = gather(heads, input('places', 'int32', ['group', 5]));
    const score = add(gather(rectangle, rowToRequest()), input('ad', 'float32', ['candidates', 5, 3]));
    const { candidate, cut } = splitRequests({ click: score });
    expect(cut).toEqual([{ name: 'cut.0', rows: 'tokens:history', width: 6 }]);
    expect(inputsOf(candidate)).toEqual(['ad', 'cut.0', 'places', 'row_to_request']);
  });

  it('hands rows that are read twice over once, and inputs not at all', () => {
    const encoded = relu(user());
    const score = add(add(gather(encoded, rowToRequest()), gather(encoded, rowToRequest())), gather(user(), rowToRequest()));
    const { cut, candidate } = splitRequests({ click: score, save: gather(encoded, rowToRequest()) });
    expect(cut).toHaveLength(1);
    expect(inputsOf(candidate)).toEqual(['cut.0', 'row_to_request', 'user']);
  });

  it('leaves constants where they are', () => {
    const { cut, request } = splitRequests({ click: add(input('ad', 'float32', ['candidates', 3]), relu(parameter('bias', [1, 3]))) });
    expect([cut, request]).toEqual([[], {}]);
  });
});
