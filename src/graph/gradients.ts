/** Reverse-mode differentiation: the graph of the gradients, built with the same ops as the graph itself. */
import { GraphError } from './errors.js';
import { scalar } from './inputs.js';
import { add } from './ops/add.js';
import { zerosLike } from './ops/zeros-like.js';
import { definitionOf } from './registry.js';
import { describeTensor, sameShape } from './shapes.js';
import { isFloating, numberAttribute } from './tensor.js';
import type { Tensor } from './tensor.js';
import { topologicalOrder } from './traverse.js';

const isLeaf = (node: Tensor): boolean => node.kind === 'input' || node.kind === 'parameter' || node.kind === 'constant';

/** Nodes of the order whose value depends on any of `wrt` through ops that pass gradients. */
export const dependents = (order: readonly Tensor[], wrt: readonly Tensor[]): Set<Tensor> => {
  const found = new Set<Tensor>(wrt);
  for (const node of order) {
    if (found.has(node) || isLeaf(node) || !node.inputs.some((tensor) => found.has(tensor))) continue;
    const differentiable =
      node.kind === 'part' || definitionOf(node.kind).gradient !== undefined || definitionOf(node.kind).partsGradient !== undefined;
    if (differentiable) found.add(node);
  }
  return found;
};

/** Sums of what flows into each node, and the gradients of the parts of those that have several. */
class Flow {
  private readonly sums = new Map<Tensor, Tensor>();
  private readonly parts = new Map<Tensor, (Tensor | undefined)[]>();

  of(node: Tensor): Tensor | undefined {
    return this.sums.get(node);
  }

  partsOf(node: Tensor): readonly (Tensor | undefined)[] | undefined {
    return this.parts.get(node);
  }

  add(node: Tensor, gradient: Tensor): void {
    const sum = this.sums.get(node);
    this.sums.set(node, sum === undefined ? gradient : add(sum, gradient));
  }

  setPart(owner: Tensor, index: number, gradient: Tensor): void {
    const gradients = this.parts.get(owner) ?? [];
    const sum = gradients[index];
    gradients[index] = sum === undefined ? gradient : add(sum, gradient);
    this.parts.set(owner, gradients);
  }
}

const inputGradients = (node: Tensor, flow: Flow): readonly (Tensor | undefined)[] => {
  if (isLeaf(node)) return [];
  const gradient = flow.of(node);
  if (node.kind === 'part') {
    if (gradient !== undefined) flow.setPart(node.inputs[0]!, numberAttribute(node, 'index'), gradient);
    return [];
  }
  const definition = definitionOf(node.kind);
  const partGradients = flow.partsOf(node);
  if (partGradients !== undefined) return definition.partsGradient?.(node, partGradients) ?? [];
  return gradient === undefined ? [] : (definition.gradient?.(node, gradient) ?? []);
};

/**
 * Gradients of a rank-0 output with respect to tensors: leaves or nodes in between. Zeros where the output does not
 * depend on one.
 * @throws GraphError `gradient` when the output is not a rank-0 floating tensor
 */
export const gradients = (output: Tensor, wrt: readonly Tensor[]): Tensor[] => {
  if (output.shape.length > 0 || !isFloating(output.dtype)) {
    throw new GraphError('gradient', `gradients: the output is ${describeTensor(output)}, expected a floating tensor of rank 0`);
  }
  const order = topologicalOrder([output]);
  const needed = dependents(order, wrt);
  const flow = new Flow();
  if (needed.has(output)) flow.add(output, scalar(1, output.dtype));
  for (const node of order.reverse()) {
    if (!needed.has(node)) continue;
    inputGradients(node, flow).forEach((gradient, position) => {
      const target = node.inputs[position];
      if (gradient === undefined || target === undefined || !needed.has(target)) return;
      if (!sameShape(gradient.shape, target.shape) || gradient.dtype !== target.dtype) {
        throw new GraphError(
          'gradient',
          `${node.kind}: the gradient of input ${position} is ${describeTensor(gradient)}, expected ${describeTensor(target)}`,
        );
      }
      flow.add(target, gradient);
    });
  }
  return wrt.map((tensor) => flow.of(tensor) ?? zerosLike(tensor));
};
