/** A surface and what unifies it next. */
export interface UnificationStep {
  readonly surface: string;
  /** Cost of its separate model per candidate. */
  readonly cost: number;
  /** Smaller over larger cost, against the mean of the surfaces before it; 1 for the first. */
  readonly similarity: number;
}

/** Smaller over larger: 1 for equal costs. */
export const costSimilarity = (a: number, b: number): number => (a === b ? 1 : Math.min(a, b) / Math.max(a, b));

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The order in which surfaces unify: the two whose separate models cost most alike per candidate first, then always the
 * surface most like the mean of those already in. A cheap surface that joins an expensive one pays for capacity it does
 * not need, so the joins that change the fewest surfaces' costs come first.
 */
export const unificationOrder = (costs: Readonly<Record<string, number>>): readonly UnificationStep[] => {
  const rest = Object.entries(costs).map(([surface, cost]) => ({ surface, cost }));
  const pairs = rest.flatMap((a, index) => rest.slice(index + 1).map((b) => ({ a, b, similarity: costSimilarity(a.cost, b.cost) })));
  const first = pairs.reduce<(typeof pairs)[number] | undefined>((best, pair) => (best === undefined || pair.similarity > best.similarity ? pair : best), undefined);
  if (first === undefined) return rest.map((one) => ({ ...one, similarity: 1 }));
  const joined: UnificationStep[] = [
    { ...first.a, similarity: 1 },
    { ...first.b, similarity: first.similarity },
  ];
  const left = new Set(rest.filter((one) => one !== first.a && one !== first.b));
  while (left.size > 0) {
    const level = mean(joined.map(({ cost }) => cost));
    const next = [...left].reduce((best, one) => (costSimilarity(one.cost, level) > costSimilarity(best.cost, level) ? one : best));
    left.delete(next);
    joined.push({ ...next, similarity: costSimilarity(next.cost, level) });
  }
  return joined;
};
