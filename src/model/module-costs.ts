/** What each module of a model costs, from its graph alone. */
import { backwardByNode, elementCount, nodeFlops, peakBytes, resultBytes, type DimSizes } from '../graph/cost.js';
import { gradients } from '../graph/gradients.js';
import { input } from '../graph/inputs.js';
import { mul } from '../graph/ops/mul.js';
import { reduceSum } from '../graph/ops/reduce-sum.js';
import { sigmoidCrossEntropy } from '../graph/ops/sigmoid-cross-entropy.js';
import type { Tensor } from '../graph/tensor.js';
import { topologicalOrder } from '../graph/traverse.js';
import type { ModelGraph } from './model-graph.js';

/** A module's costs for sizes of the symbolic dims. */
export interface ModuleCost {
  /** `cross`, `mlp`, `tower.search`, `transformer.history`, `projection.request`, `experts` …; `inputs` computes before any layer, `loss` after all. */
  readonly module: string;
  /** Dense parameters. */
  readonly parameters: number;
  /** FLOPs of the forward pass. */
  forward(sizes: DimSizes): number;
  /** FLOPs of forward and backward. */
  train(sizes: DimSizes): number;
  /** Bytes of its results, each counted once. */
  activations(sizes: DimSizes): number;
}

const INPUTS = 'inputs';
const LOSS = 'loss';

/** Modules that there are several of: their second name tells them apart. */
const REPEATED: ReadonlySet<string> = new Set(['transformer', 'projection', 'tower']);

/** The module that a parameter belongs to, by its name. */
export const moduleOfParameter = (name: string): string => {
  const [first, ...rest] = name.split('.').filter((part, index) => index > 0 || part !== 'trunk');
  return REPEATED.has(first!) ? `${first}.${rest[0]}` : rest.length === 0 ? 'head' : first!;
};

/** The loss that training minimizes, over labels and weights per row. */
export const modelLoss = ({ logits }: Pick<ModelGraph, 'logits'>): Tensor =>
  reduceSum(mul(sigmoidCrossEntropy(logits, input('labels', 'float32', logits.shape)), input('label_weights', 'float32', logits.shape)), [0, 1]);

/** Peak of activation bytes of a train step: loss, logits and all gradients, for any sizes of the dims. */
export const stepBytes = (graph: ModelGraph): ((sizes: DimSizes) => number) => {
  const loss = modelLoss(graph);
  return peakBytes([loss, graph.logits, ...gradients(loss, [...graph.parameters.map(({ tensor }) => tensor), ...graph.blocks])]);
};

/** Nodes belong where their newest operand does: a layer makes its parameters after its input, and what follows is made after both. */
const assignModules = (order: readonly Tensor[], parameters: ModelGraph['parameters']): ReadonlyMap<Tensor, string> => {
  const modules = new Map<Tensor, string>(parameters.map(({ spec, tensor }) => [tensor, moduleOfParameter(spec.name)]));
  for (const node of order) {
    if (modules.has(node)) continue;
    const known = node.inputs.filter((one) => modules.has(one) && modules.get(one) !== INPUTS);
    const newest = known.reduce<Tensor | undefined>((latest, one) => (latest === undefined || one.id > latest.id ? one : latest), undefined);
    modules.set(node, newest === undefined ? INPUTS : modules.get(newest)!);
  }
  return modules;
};

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

const flops = (nodes: readonly Tensor[], sizes: DimSizes): number => sum(nodes.map((node) => nodeFlops(node, sizes)));

/** The costs of a model's modules, in the order in which they are first computed. */
export const moduleCosts = (graph: ModelGraph): readonly ModuleCost[] => {
  const order = topologicalOrder([graph.logits]);
  const modules = new Map(assignModules(order, graph.parameters));
  const loss = modelLoss(graph);
  for (const node of topologicalOrder([loss])) if (!modules.has(node)) modules.set(node, LOSS);
  const all = [...modules.keys()];
  const backward = backwardByNode(loss, [...graph.parameters.map(({ tensor }) => tensor), ...graph.blocks]);
  const names = [...new Set(all.filter((node) => node.kind !== 'parameter').map((node) => modules.get(node)!))];
  return names.map((module) => {
    const own = all.filter((node) => modules.get(node) === module);
    const ownBackward = backward.filter(({ node }) => modules.get(node) === module);
    return {
      module,
      parameters: sum(graph.parameters.filter(({ tensor }) => modules.get(tensor) === module).map(({ tensor }) => elementCount(tensor, {}))),
      forward: (sizes) => flops(own, sizes),
      train: (sizes) => flops(own, sizes) + sum(ownBackward.map(({ node, added, sums }) => flops(added, sizes) + (sums === 0 ? 0 : sums * elementCount(node, sizes)))),
      activations: (sizes) => {
        const bytes = resultBytes(all, sizes);
        return sum(own.map((node) => bytes.get(node)!));
      },
    };
  });
};
