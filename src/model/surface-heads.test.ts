import { describe, expect, it } from 'vitest';
import { smallFeeds, smallModel } from '../../test/support/small-model.js';
import { loadGraph, type Feeds, type LoadedGraph } from '../graph/check/run-graph.js';
import type { ModelGraph } from './model-graph.js';
import { priorBias, towerParameters } from './surface-heads.js';

const REQUESTS = [[2, 1], [3], [1, 1]];
const { graph } = smallModel();

const logitsOf = async (loaded: LoadedGraph, feeds: Feeds): Promise<readonly number[]> => (await loaded.run(feeds))['logits']!.values;

/** Rows of a surface's logits. */
const ofSurface = (logits: readonly number[], surface: number, requests: readonly (readonly number[])[] = REQUESTS): readonly number[] => {
  const sizes = requests.map((counts) => counts.reduce((sum, count) => sum + count, 0));
  const first = sizes.slice(0, surface).reduce((sum, size) => sum + size, 0);
  return logits.slice(2 * first, 2 * (first + sizes[surface]!));
};

const shifted = (feeds: Feeds, change: (name: string) => boolean): Feeds =>
  Object.fromEntries(Object.entries(feeds).map(([name, numbers]) => [name, change(name) ? { ...numbers, values: numbers.values.map((value) => value + 0.25) } : numbers]));

const loaded = loadGraph({ logits: graph.logits });

describe('routing to towers', () => {
  it.each([0, 1, 2])("changes no other surface's logits with a tower: surface %i", async (changed) => {
    const feeds = smallFeeds(graph, REQUESTS);
    const before = await logitsOf(await loaded, feeds);
    const surface = graph.layout.surfaces[changed]!;
    const after = await logitsOf(await loaded, shifted(feeds, (name) => name.startsWith(`tower.${surface}.`)));
    for (const other of [0, 1, 2]) {
      if (other === changed) expect(ofSurface(after, other)).not.toEqual(ofSurface(before, other));
      else expect(ofSurface(after, other)).toEqual(ofSurface(before, other));
    }
  });

  it('changes the logits of all surfaces with the shared layer', async () => {
    const feeds = smallFeeds(graph, REQUESTS);
    const before = await logitsOf(await loaded, feeds);
    const after = await logitsOf(await loaded, shifted(feeds, (name) => name === 'shared_head.bias'));
    for (const surface of [0, 1, 2]) ofSurface(after, surface).forEach((logit, index) => {
      // `save`, every second column, is no task of home: its logit stays 0.
      const moved = surface === 0 && index % 2 === 1 ? 0 : 0.25;
      expect(logit - ofSurface(before, surface)[index]!).toBeCloseTo(moved, 5);
    });
  });

  it.each([
    ['the first', [[], [3], [1, 1]]],
    ['one in the middle', [[2, 1], [], [1, 1]]],
    ['all but the last', [[], [], [1, 1]]],
  ])('scores a batch without rows of %s surface as the others alone', async (_, requests) => {
    const feeds = smallFeeds(graph, requests);
    const logits = await logitsOf(await loaded, feeds);
    expect(logits.length).toBe(2 * requests.flat().reduce((sum, count) => sum + count, 0));
    expect(logits.every(Number.isFinite)).toBe(true);
    // Towers of surfaces without rows have no part in it.
    const absent = graph.layout.surfaces.filter((_surface, index) => requests[index]!.length === 0);
    const others = shifted(feeds, (name) => absent.some((surface) => name.startsWith(`tower.${surface}.`)));
    expect(await logitsOf(await loaded, others)).toEqual(logits);
  });

  it('gives a task the logit 0 where the surface lacks it', async () => {
    const logits = await logitsOf(await loaded, smallFeeds(graph, REQUESTS));
    ofSurface(logits, 0).forEach((logit, index) => {
      if (index % 2 === 1) expect(Math.abs(logit)).toBe(0);
      else expect(logit).not.toBe(0);
    });
    expect(ofSurface(logits, 1).every((logit) => logit !== 0)).toBe(true);
  });
});

describe('what a head sees', () => {
  const WIDE = { experts: { count: 2, hidden: [3] }, lateFusion: true } as const;
  const withTower = smallModel({ ...WIDE, tower: [3] }).graph;
  const without = smallModel({ ...WIDE, tower: [] }).graph;
  const shapeOf = (model: ModelGraph, name: string): readonly number[] => model.parameters.find(({ spec }) => spec.name === name)!.spec.shape;
  const loadedTower = loadGraph({ logits: withTower.logits });
  const feeds = smallFeeds(withTower, REQUESTS);

  /** The feeds without what the heads make of the towers' input, or of their output: the last three rows of a head's weight. */
  const headsWithout = (part: 'input' | 'output'): Feeds =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, numbers]) => {
        if (!/^tower\..*\.head\.weight$/.test(name)) return [name, numbers];
        const inputs = numbers.values.length - 3 * 2;
        return [name, { ...numbers, values: numbers.values.map((value, index) => (index < inputs === (part === 'input') ? 0 : value)) }];
      }),
    );

  it("is the tower's input beside its output", () => {
    for (const surface of withTower.layout.surfaces) {
      const [width] = shapeOf(withTower, `tower.${surface}.dense0.weight`);
      expect(shapeOf(withTower, `tower.${surface}.head.weight`)).toEqual([width! + 3, 2]);
      expect(shapeOf(without, `tower.${surface}.head.weight`)).toEqual([width, 2]);
    }
  });

  it('holds all that it sees without a tower: trunk, mixtures and late features', async () => {
    const plain = Object.fromEntries(
      Object.entries(smallFeeds(without, REQUESTS)).map(([name, numbers]) => {
        const { values } = feeds[name]!;
        return [name, { ...numbers, values: values.slice(0, numbers.values.length) }];
      }),
    );
    const expected = await logitsOf(await loadGraph({ logits: without.logits }), plain);
    const logits = await logitsOf(await loadedTower, headsWithout('output'));
    expect(logits).toHaveLength(expected.length);
    logits.forEach((logit, index) => expect(logit).toBeCloseTo(expected[index]!, 5));
    expect(await logitsOf(await loadedTower, feeds)).not.toEqual(logits);
  });

  it('holds what the tower makes of it', async () => {
    const before = await logitsOf(await loadedTower, headsWithout('input'));
    const after = await logitsOf(await loadedTower, shifted(headsWithout('input'), (name) => name === 'tower.search.dense0.bias'));
    expect(ofSurface(after, 1)).not.toEqual(ofSurface(before, 1));
    expect(ofSurface(after, 0)).toEqual(ofSurface(before, 0));
  });
});

describe('the parameters of a tower', () => {
  it('are those that the surface alone has', () => {
    const names = graph.parameters.map(({ spec }) => spec.name);
    const towers = graph.layout.surfaces.map((surface) => towerParameters(graph.parameters, surface));
    towers.forEach((own, index) => {
      expect(own).toContain(`tower.${graph.layout.surfaces[index]!}.head.weight`);
      expect(own.every((name) => names.includes(name))).toBe(true);
    });
    expect(new Set(towers.flat()).size).toBe(towers.flat().length);
    expect(names.filter((name) => !towers.flat().includes(name))).toContain('shared_head.weight');
    // A name that another begins with is another surface.
    const parameter = (name: string) => ({ spec: { name, shape: [1], initializer: { type: 'zeros' as const }, decay: false } });
    expect(towerParameters([parameter('tower.home.head.bias'), parameter('tower.home_feed.head.bias')], 'home')).toEqual(['tower.home.head.bias']);
  });
});

describe('the bias that output layers start from', () => {
  const biasOf = (model: ModelGraph, surface: string): unknown => model.parameters.find(({ spec }) => spec.name === `tower.${surface}.head.bias`)!.spec.initializer;

  it('is the log-odds of the base rates', () => {
    const { layout } = graph;
    const { bias } = priorBias({ home: { click: 0.2 }, search: { click: 0.5, save: 0 } }, 'search', layout);
    expect(bias![0]).toBe(0);
    expect(bias![1]).toBeCloseTo(Math.log(1e-4 / (1 - 1e-4)), 10);
    expect(priorBias({ home: { click: 0.2 } }, 'home', layout).bias).toEqual([Math.log(0.2 / 0.8), 0]);
  });

  it('is zero without them', () => {
    expect(priorBias(undefined, 'home', graph.layout)).toEqual({});
    expect(biasOf(graph, 'home')).toEqual({ type: 'zeros' });
  });
});
