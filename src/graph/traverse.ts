/** Orders in which a graph is visited. */
import type { Tensor } from './tensor.js';

/**
 * Every node that the roots reach, inputs before what uses them, each once. The order depends on structure alone, so a
 * graph built twice is walked the same way. Iterative: depth is not bound by the stack.
 * @param inputsOf which inputs of a node to follow (default: all)
 */
export const topologicalOrder = (
  roots: readonly Tensor[],
  inputsOf: (node: Tensor) => readonly Tensor[] = (node) => node.inputs,
): Tensor[] => {
  const order: Tensor[] = [];
  const entered = new Set<Tensor>();
  for (const root of roots) {
    if (entered.has(root)) continue;
    entered.add(root);
    const stack = [{ node: root, inputs: inputsOf(root), next: 0 }];
    while (stack.length > 0) {
      const frame = stack[stack.length - 1]!;
      const dependency = frame.inputs[frame.next];
      frame.next += 1;
      if (dependency === undefined) {
        order.push(frame.node);
        stack.pop();
      } else if (!entered.has(dependency)) {
        entered.add(dependency);
        stack.push({ node: dependency, inputs: inputsOf(dependency), next: 0 });
      }
    }
  }
  return order;
};

/** Calls `visit` for every node that the roots reach, inputs first. */
export const walk = (roots: readonly Tensor[], visit: (node: Tensor) => void): void => {
  for (const node of topologicalOrder(roots)) visit(node);
};
