import { listed } from '../report/words.js';
import { costSimilarity, unificationOrder, type UnificationStep } from '../unification-order.js';

export interface SurfaceGroups {
  /** Surfaces that unify together, in the order they do. The first group has at least two. */
  readonly groups: readonly (readonly string[])[];
  readonly source: 'cost' | 'config';
  /** Why, in a sentence. */
  readonly reason: string;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const describe = (groups: readonly (readonly UnificationStep[])[], similarity: number): string => {
  const [first, ...rest] = groups;
  const costs = (group: readonly UnificationStep[]): string => group.map(({ surface, cost }) => `${surface} ${Math.round(cost / 1000)} kFLOPs`).join(', ');
  const start = `${listed(first!.map(({ surface }) => surface))} first: the own models of these surfaces cost most alike per candidate (${costs(first!)})`;
  const then = rest.map((group) => `then ${listed(group.map(({ surface }) => surface))} (${costs(group)})`);
  const isAlike = first!.every(({ similarity: own }) => own >= similarity);
  const all = isAlike ? `all are within ${similarity} of each other` : 'there are no others';
  const why = rest.length === 0 ? all : `a surface joins a group when the smaller cost is at least ${similarity} of the larger`;
  return `${[start, ...then].join(', ')}; ${why}.`;
};

/**
 * Groups surfaces by what their own models cost per candidate. They come in the order of {@link unificationOrder}; one that costs
 * less than `similarity` of the group's mean, or that many times more, begins the next group.
 *
 * @param costs FLOPs of scoring a candidate with the surface's own model
 * @param order groups that the config declares
 */
export const groupSurfaces = (costs: Readonly<Record<string, number>>, similarity: number, order?: readonly (readonly string[])[]): SurfaceGroups => {
  if (order !== undefined) return { groups: order, source: 'config', reason: `${order.map(listed).join(', then ')}: the order that the config declares.` };
  const groups: UnificationStep[][] = [];
  for (const step of unificationOrder(costs)) {
    const current = groups.at(-1);
    // The first two unify whatever they cost: they are the most alike there are.
    const joins = current !== undefined && ((groups.length === 1 && current.length < 2) || costSimilarity(step.cost, mean(current.map(({ cost }) => cost))) >= similarity);
    if (joins) current.push(step);
    else groups.push([step]);
  }
  return { groups: groups.map((group) => group.map(({ surface }) => surface)), source: 'cost', reason: describe(groups, similarity) };
};
