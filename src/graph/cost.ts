/** What running a graph costs, from its shapes alone: floating-point operations and bytes, once symbolic dims have sizes. */
import { GraphError } from './errors.js';
import { dependents } from './gradients.js';
import { input } from './inputs.js';
import { definitionOf } from './registry.js';
import { booleanAttribute, numberAttribute } from './tensor.js';
import type { DType, Dim, Tensor } from './tensor.js';
import { topologicalOrder } from './traverse.js';

/** Sizes of symbolic dims by name, such as `candidates` or `tokens:history`; averages need not be whole. */
export type DimSizes = Readonly<Record<string, number>>;

/**
 * Size of a dim: a number, a name, a product `requests*50`, or a sum `a+b`.
 * @throws GraphError `shape` when a name has no size
 */
export const dimSize = (dim: Dim, sizes: DimSizes): number => {
  if (typeof dim === 'number') return dim;
  const named = sizes[dim];
  if (named !== undefined) return named;
  if (dim.includes('+')) return dim.split('+').reduce((sum, term) => sum + dimSize(term, sizes), 0);
  if (dim.includes('*')) return dim.split('*').reduce((product, factor) => product * dimSize(factor, sizes), 1);
  const size = Number(dim);
  if (Number.isNaN(size)) throw new GraphError('shape', `cost: dim ${dim} has no size`);
  return size;
};

/** Elements of a tensor. */
export const elementCount = ({ shape }: Pick<Tensor, 'shape'>, sizes: DimSizes): number => shape.reduce<number>((product, dim) => product * dimSize(dim, sizes), 1);

/** FLOPs of one node. */
type Flops = (node: Tensor, sizes: DimSizes) => number;

const none: Flops = () => 0;

/** This many for each element of the result. */
const perElement =
  (flops: number): Flops =>
  (node, sizes) =>
    flops * elementCount(node, sizes);

/** One for each element that is summed or compared. */
const perInputElement: Flops = ({ inputs: [x] }, sizes) => elementCount(x!, sizes);

/** 2·m·n·k, for every batch. */
const matmulFlops: Flops = (node, sizes) => {
  const a = node.inputs[0]!;
  const inner = a.shape.at(booleanAttribute(node, 'transposeA') ? -2 : -1)!;
  return 2 * elementCount(node, sizes) * dimSize(inner, sizes);
};

/** Both products, and for each score its scale, biases and softmax. */
const attentionFlops: Flops = (node, sizes) => {
  const [q, k, , ...biases] = node.inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
  const keys = dimSize(k.shape[2]!, sizes);
  const scores = elementCount({ shape: q.shape.slice(0, -1) }, sizes) * keys;
  return 4 * elementCount(q, sizes) * keys + (SOFTMAX_FLOPS + 1 + biases.length) * scores;
};

/** Maximum, difference, exponential, sum, quotient. */
const SOFTMAX_FLOPS = 5;

const MOVES = [
  'input', 'parameter', 'constant', 'part', 'broadcastRows', 'cast', 'concat', 'expand', 'gather', 'groupRows', 'pad', 'reshape', 'sizeOf',
  'sizesAlong', 'slice', 'split', 'squeeze', 'stopGradient', 'transpose', 'ungroupRows', 'unsqueeze', 'zerosLike',
];
const ELEMENTWISE = [
  'abs', 'add', 'clip', 'div', 'equal', 'erf', 'exp', 'gelu', 'greater', 'isPositive', 'log', 'maximum', 'minimum', 'mul', 'neg', 'reciprocal', 'relu', 'sigmoid',
  'sign', 'softplus', 'sqrt', 'square', 'sub', 'tanh', 'where',
];
const REDUCTIONS = ['cumulativeSum', 'reduceMax', 'reduceMean', 'reduceSum', 'scatterRows', 'segmentSum'];

const FLOPS: ReadonlyMap<string, Flops> = new Map([
  ...MOVES.map((kind) => [kind, none] as const),
  ...ELEMENTWISE.map((kind) => [kind, perElement(1)] as const),
  ...REDUCTIONS.map((kind) => [kind, perInputElement] as const),
  ['attention', attentionFlops],
  // Mean, variance (2), difference, quotient, scale and bias (2), and the root.
  ['layerNorm', perElement(8)],
  ['matmul', matmulFlops],
  // max(x, 0) − x·y + log(1 + exp(−|x|)).
  ['sigmoidCrossEntropy', perElement(7)],
  ['softmax', perElement(SOFTMAX_FLOPS)],
]);

/**
 * Floating-point operations of one node: 2·m·n·k for a product, one an element for elementwise ops (the exponential counts
 * as one), nothing for moving data.
 * @throws GraphError `shape` when a dim has no size
 */
export const nodeFlops = (node: Tensor, sizes: DimSizes): number => {
  const flops = FLOPS.get(node.kind);
  if (flops === undefined) throw new GraphError('shape', `cost: op ${node.kind} has no FLOPs; give it some in src/graph/cost.ts`);
  return flops(node, sizes);
};

/** Results that share their input's memory. */
const VIEWS: ReadonlySet<string> = new Set(['reshape', 'squeeze', 'unsqueeze', 'stopGradient']);
/** What is not computed for a batch. */
const HELD: ReadonlySet<string> = new Set(['parameter', 'constant']);

const ELEMENT_BYTES: Readonly<Record<DType, number>> = { float32: 4, float64: 8, int64: 8, int32: 4, bool: 1 };

/** An op of several parts keeps nothing itself: its parts do. */
const ownersOf = (order: readonly Tensor[]): Set<Tensor> => new Set(order.flatMap((node) => (node.kind === 'part' ? [node.inputs[0]!] : [])));

/** Bytes that each node's result takes: none for views, parameters and constants. */
export const resultBytes = (order: readonly Tensor[], sizes: DimSizes): ReadonlyMap<Tensor, number> => {
  const owners = ownersOf(order);
  const isFree = (node: Tensor): boolean => VIEWS.has(node.kind) || HELD.has(node.kind) || owners.has(node);
  return new Map(order.map((node) => [node, isFree(node) ? 0 : ELEMENT_BYTES[node.dtype] * elementCount(node, sizes)]));
};

/**
 * Most bytes of inputs and results that are needed at once when the graph runs node by node and each result is freed after its
 * last use, for any sizes. Inputs and outputs stay to the end, parameters are left out.
 */
export const peakBytes = (outputs: readonly Tensor[]): ((sizes: DimSizes) => number) => {
  const order = topologicalOrder(outputs);
  const memory = new Map<Tensor, Tensor>();
  for (const node of order) memory.set(node, VIEWS.has(node.kind) ? memory.get(node.inputs[0]!)! : node);
  const lastUse = new Map<Tensor, Tensor>();
  for (const node of order) for (const one of [node, ...node.inputs]) lastUse.set(memory.get(one)!, node);
  for (const kept of [...outputs, ...order.filter((one) => one.kind === 'input')]) lastUse.delete(memory.get(kept)!);
  const freedAfter = new Map<Tensor, Tensor[]>();
  for (const [node, last] of lastUse) freedAfter.set(last, [...(freedAfter.get(last) ?? []), node]);
  return (sizes) => {
    const bytes = resultBytes(order, sizes);
    let live = 0;
    let peak = 0;
    for (const node of order) {
      live += bytes.get(node)!;
      peak = Math.max(peak, live);
      for (const freed of freedAfter.get(node) ?? []) live -= bytes.get(freed)!;
    }
    return peak;
  };
};

/** What reverse mode computes for one node of a forward graph. */
export interface NodeBackward {
  readonly node: Tensor;
  /** The nodes that it adds, inputs first. */
  readonly added: readonly Tensor[];
  /** Sums of what flows back into this node from several uses. */
  readonly sums: number;
}

const createGradient = (node: Tensor): Tensor => input('gradient', node.dtype, node.shape);

/** The gradients that a node passes to its inputs, given one for it or for its parts in `needed`. */
const passedGradients = (node: Tensor, partsNeeded: readonly Tensor[]): readonly (Tensor | undefined)[] => {
  const definition = definitionOf(node.kind);
  if (definition.partsGradient === undefined) return definition.gradient?.(node, createGradient(node)) ?? [];
  const gradients: (Tensor | undefined)[] = [];
  for (const part of partsNeeded) gradients[numberAttribute(part, 'index')] = createGradient(part);
  return definition.partsGradient(node, gradients);
};

/**
 * The backward of each node on the way from `wrt` to the rank-0 `output`: the work of `gradients`, told apart by the forward
 * node it is done for.
 */
export const backwardByNode = (output: Tensor, wrt: readonly Tensor[]): readonly NodeBackward[] => {
  const order = topologicalOrder([output]);
  const needed = dependents(order, wrt);
  const parts = new Map<Tensor, Tensor[]>();
  for (const node of order) {
    if (node.kind === 'part' && needed.has(node)) parts.set(node.inputs[0]!, [...(parts.get(node.inputs[0]!) ?? []), node]);
  }
  const incoming = new Map<Tensor, number>([[output, 1]]);
  const reach = (node: Tensor): void => void incoming.set(node, (incoming.get(node) ?? 0) + 1);
  const found: NodeBackward[] = [];
  for (const node of order.reverse()) {
    const uses = incoming.get(node) ?? 0;
    if (!needed.has(node) || uses === 0) continue;
    const isPart = node.kind === 'part';
    const start = createGradient(node).id;
    const passed = isPart || node.inputs.length === 0 ? [] : passedGradients(node, parts.get(node) ?? []);
    const kept = passed.filter((gradient, position) => gradient !== undefined && needed.has(node.inputs[position]!)) as Tensor[];
    if (isPart) reach(node.inputs[0]!);
    passed.forEach((gradient, position) => {
      if (gradient !== undefined && needed.has(node.inputs[position]!)) reach(node.inputs[position]!);
    });
    const added = topologicalOrder(kept).filter((one) => one.id > start && one.kind !== 'input' && one.kind !== 'constant');
    found.push({ node, added, sums: parts.has(node) ? 0 : uses - 1 });
  }
  return found;
};
