/** Request-level broadcast and its gradient, the sum over the candidates of each request. */
import type { OpDefinition } from '../definition.js';
import { GraphError } from '../errors.js';
import { describeTensor, dimProduct } from '../shapes.js';
import { makeNode } from '../tensor.js';
import type { Tensor } from '../tensor.js';

/**
 * Which candidates belong to each request, padded to the longest. It lets sums run as one batched product, in a fixed
 * order on any number of threads, where a scatter would race or crawl.
 */
export interface Segments {
  /** int64 `[requests, m]`: candidates of each request; padding points at any candidate, 0 by convention. */
  readonly slots: Tensor;
  /** `[requests, 1, m]`, dtype of the values: 1 where the slot is a candidate, 0 where it pads. */
  readonly mask: Tensor;
}

const requireSegments = (op: string, x: Tensor, rowToRequest: Tensor, { slots, mask }: Segments): void => {
  const fits =
    x.shape.length > 0 &&
    rowToRequest.dtype === 'int64' &&
    rowToRequest.shape.length === 1 &&
    slots.dtype === 'int64' &&
    slots.shape.length === 2 &&
    mask.dtype === x.dtype &&
    mask.shape.length === 3 &&
    mask.shape[0] === slots.shape[0] &&
    mask.shape[1] === 1 &&
    mask.shape[2] === slots.shape[1];
  if (!fits) {
    throw new GraphError(
      'shape',
      `${op}: expected rowToRequest int64 [candidates], slots int64 [requests, m] and mask ${x.dtype} [requests, 1, m]; got ` +
        [x, rowToRequest, slots, mask].map(describeTensor).join(' and '),
    );
  }
};

/**
 * Copies each request's row to its candidates.
 * @param x `[requests, ...]`
 * @param rowToRequest int64 `[candidates]`: the request of each candidate
 * @returns `[candidates, ...]`
 */
export const broadcastRows = (x: Tensor, rowToRequest: Tensor, segments: Segments): Tensor => {
  requireSegments('broadcastRows', x, rowToRequest, segments);
  if (x.shape[0] !== segments.slots.shape[0]) {
    throw new GraphError('shape', `broadcastRows: ${describeTensor(x)} and slots ${describeTensor(segments.slots)} differ in rows`);
  }
  const shape = [rowToRequest.shape[0]!, ...x.shape.slice(1)];
  return makeNode('broadcastRows', x.dtype, shape, [x, rowToRequest, segments.slots, segments.mask]);
};

/**
 * Sums the rows of each request's candidates; zero for a request without any. There must be at least one candidate.
 * @param x `[candidates, ...]`
 * @param rowToRequest int64 `[candidates]`: the request of each candidate
 * @returns `[requests, ...]`
 */
export const segmentSum = (x: Tensor, rowToRequest: Tensor, segments: Segments): Tensor => {
  requireSegments('segmentSum', x, rowToRequest, segments);
  if (x.shape[0] !== rowToRequest.shape[0]) {
    throw new GraphError('shape', `segmentSum: ${describeTensor(x)} and rowToRequest ${describeTensor(rowToRequest)} differ in rows`);
  }
  const shape = [segments.slots.shape[0]!, ...x.shape.slice(1)];
  return makeNode('segmentSum', x.dtype, shape, [x, rowToRequest, segments.slots, segments.mask]);
};

const segmentsOf = (node: Tensor): [Tensor, Segments] => {
  const [, rowToRequest, slots, mask] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
  return [rowToRequest, { slots, mask }];
};

/** `broadcastRows`. */
export const broadcastRowsDefinition: OpDefinition = {
  kind: 'broadcastRows',
  gradient: (node, gradient) => [segmentSum(gradient, ...segmentsOf(node))],
  reads: (node) => node.inputs.slice(0, 2),
  emit: (node, emitter) =>
    emitter.node('Gather', [emitter.value(node.inputs[0]!), emitter.value(node.inputs[1]!)], { axis: { int: 0 } }),
};

/** `segmentSum`. */
export const segmentSumDefinition: OpDefinition = {
  kind: 'segmentSum',
  gradient: (node, gradient) => [broadcastRows(gradient, ...segmentsOf(node))],
  reads: ({ inputs: [x, , slots, mask] }) => [x!, slots!, mask!],
  emit: (node, emitter) => {
    const [x, , slots, mask] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
    const width = dimProduct(x.shape.slice(1));
    if (typeof width === 'string') throw new GraphError('emit', `segmentSum: rows of ${describeTensor(x)} have a symbolic size`);
    const flat = x.shape.length === 2 ? emitter.value(x) : emitter.node('Reshape', [emitter.value(x), emitter.int64([-1, width])]);
    const padded = emitter.node('Gather', [flat, emitter.value(slots)], { axis: { int: 0 } });
    const sums = emitter.node('MatMul', [emitter.value(mask), padded]);
    if (x.shape.length === 2) return emitter.node('Squeeze', [sums, emitter.int64([1])]);
    return emitter.node('Reshape', [sums, emitter.int64([-1, ...(x.shape.slice(1) as number[])])]);
  },
};
