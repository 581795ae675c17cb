import { describe, expect, it } from 'vitest';
import { drawValues, SMALL_SURFACES, smallFeeds, smallModel } from '../../test/support/small-model.js';
import type { ModelConfig } from '../config/project.js';
import { loadGraph, type Feeds, type LoadedGraph } from '../graph/check/run-graph.js';
import { input } from '../graph/inputs.js';
import type { ModelGraph } from './model-graph.js';
import { Scope } from './scope.js';
import { raggedFrame } from './sequence-frame.js';
import { transformerEncoder } from './transformer.js';

const TRANSFORMER = { layers: 2, width: 4, heads: 2 } as const;
const FULL: Partial<ModelConfig> = { transformer: TRANSFORMER, projection: { width: 2 }, experts: { count: 2, hidden: [3] }, lateFusion: true };

/** Requests of each surface with their candidates: histories of 2, 3, 0, 1, 2, 3 events. */
const REQUESTS = [[2, 1], [2, 1], [1, 3]];
/** First candidate of each request, and the end. */
const CANDIDATES = [0, 2, 3, 5, 6, 7, 10];
/** First token of each request, and the end. */
const TOKENS = [0, 2, 5, 5, 6, 8, 11];

const TOKEN_BLOCKS = ['embedding.tokens:history.2'];

/** Changes one row of an input. */
const shifted = (feeds: Feeds, name: string, row: number): Feeds => {
  const fed = feeds[name]!;
  const width = fed.shape[1]!;
  return { ...feeds, [name]: { ...fed, values: fed.values.map((value, index) => (Math.floor(index / width) === row ? value + 0.5 : value)) } };
};

const logitsOf = async (graph: LoadedGraph, feeds: Feeds): Promise<readonly number[]> => (await graph.run(feeds, ['logits']))['logits']!.values;

/** Candidates whose logits differ. */
const changed = (before: readonly number[], after: readonly number[]): number[] => [
  ...new Set(before.flatMap((value, index) => (Math.abs(value - after[index]!) > 1e-6 ? [Math.floor(index / 2)] : []))),
];

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

const load = async (config: Partial<ModelConfig>): Promise<{ readonly graph: ModelGraph; readonly loaded: LoadedGraph; readonly feeds: Feeds }> => {
  const { graph } = smallModel(config, SMALL_SURFACES);
  return { graph, loaded: await loadGraph({ logits: graph.logits, ...(graph.expertLoad === undefined ? {} : { load: graph.expertLoad }) }), feeds: smallFeeds(graph, REQUESTS, 2) };
};

describe('the full model', () => {
  it('reads of a history only what belongs to the request', async () => {
    const { loaded, feeds } = await load(FULL);
    const before = await logitsOf(loaded, feeds);
    for (const [request, first] of TOKENS.slice(0, -1).entries()) {
      if (first === TOKENS[request + 1]) continue;
      const after = await logitsOf(loaded, shifted(feeds, TOKEN_BLOCKS[0]!, first));
      expect(changed(before, after)).toEqual(range(CANDIDATES[request]!, CANDIDATES[request + 1]!));
    }
  });

  it('reaches the newest event from the older ones through attention', async () => {
    // Read by the newest event alone: what the older ones do reaches the logits through attention only.
    const { graph, loaded, feeds } = await load({ transformer: { ...TRANSFORMER, read: 'newest', pooled: false } });
    expect(graph.layout.sequences).toMatchObject([{ readByCandidates: false, attention: 'causal' }]);
    const before = await logitsOf(loaded, feeds);
    expect(changed(before, await logitsOf(loaded, shifted(feeds, TOKEN_BLOCKS[0]!, 2)))).toEqual([2]);
  });

  it.each([
    ['causal', [4]],
    ['full', [2, 3, 4]],
  ] as const)('in %s attention, the last of three events is seen by tokens %j', async (attention, seenBy) => {
    const { feeds } = await load({ transformer: { ...TRANSFORMER, attention } });
    const sequence = { name: 'history', column: 'history.ad', length: 3, heads: 2, attention, readByCandidates: true };
    const options = { ...TRANSFORMER, sequences: undefined, feedForward: 4, attention, positions: 'none', read: 'both', pooled: true, dropout: 0 } as const;
    const scope = Scope.root({ serving: false });
    const tokens = input('tokens', 'float32', ['tokens:history', 4]);
    const encoded = await loadGraph({ encoded: transformerEncoder(scope, tokens, raggedFrame(sequence), options, 'tokens:history') });
    const drawn = (index: number, shape: readonly number[]): Feeds[string] => ({ dtype: 'float32', shape, values: drawValues(index, shape.reduce((a, b) => a * b, 1)) });
    const all: Feeds = { ...feeds, tokens: drawn(1, [TOKENS.at(-1)!, 4]), ...Object.fromEntries(scope.parameters.map(({ spec }, index) => [spec.name, drawn(2 + index, spec.shape)])) };
    const run = async (fed: Feeds): Promise<readonly number[]> => (await encoded.run(fed))['encoded']!.values;
    const [before, after] = [await run(all), await run(shifted(all, 'tokens', 4))];
    expect([...new Set(before.flatMap((value, index) => (Math.abs(value - after[index]!) > 1e-6 ? [Math.floor(index / 4)] : [])))]).toEqual(seenBy);
  });

  it('computes a candidate by its own surface’s tower and late features only', async () => {
    const { graph, loaded, feeds } = await load(FULL);
    const before = await logitsOf(loaded, feeds);
    const ofSurface = [range(0, 3), range(3, 6), range(6, 10)];
    for (const [index, surface] of SMALL_SURFACES.entries()) {
      const name = `tower.${surface}.head.weight`;
      const after = await logitsOf(loaded, { ...feeds, [name]: { ...feeds[name]!, values: feeds[name]!.values.map((value) => value + 0.5) } });
      expect(changed(before, after).every((candidate) => ofSurface[index]!.includes(candidate))).toBe(true);
      expect(changed(before, after).length).toBeGreaterThan(0);
    }
    // `rank` is related's alone: its rows of other surfaces are read by nobody.
    const late = graph.layout.dense.find((block) => block.late === 'related')!;
    expect(late.slots.map(({ column }) => column)).toEqual(['rank']);
    expect(changed(before, await logitsOf(loaded, shifted(feeds, late.name, 0)))).toEqual([]);
    expect(changed(before, await logitsOf(loaded, shifted(feeds, late.name, 8)))).toEqual([8]);
  });

  it('measures the load of each expert: gate weights that sum to the rows of the surface, per task', async () => {
    const { loaded, feeds } = await load(FULL);
    const { values, shape } = (await loaded.run(feeds, ['load']))['load']!;
    expect(shape).toEqual([3, 4]);
    [3, 3, 4].forEach((rows, surface) => {
      for (const task of [0, 1]) expect(values[surface * 4 + task * 2]! + values[surface * 4 + task * 2 + 1]!).toBeCloseTo(rows, 5);
    });
  });

  it('with one expert is what it is without a gate', async () => {
    const { loaded, feeds } = await load({ ...FULL, experts: { count: 1, hidden: [3] } });
    const before = await logitsOf(loaded, feeds);
    const gate = 'trunk.experts.gate.weight';
    expect(changed(before, await logitsOf(loaded, { ...feeds, [gate]: { ...feeds[gate]!, values: feeds[gate]!.values.map((value) => -value) } }))).toEqual([]);
  });

  it('knows positions by distance from the newest event, in a table of its own', () => {
    const { graph } = smallModel(FULL, SMALL_SURFACES);
    const slots = graph.layout.blocks.find(({ rows }) => rows === 'tokens:history')!.slots.map(({ column, rows }) => [column, rows]);
    expect(slots).toEqual([['history.ad', 6], ['history.gap', 19], ['@position', 3]]);
    const byTime = smallModel({ ...FULL, transformer: { ...TRANSFORMER, positions: 'time', pooled: false } }, SMALL_SURFACES).graph;
    expect(byTime.layout.blocks.flatMap(({ rows, slots: own }) => own.map(({ column }) => [rows, column])).filter(([, column]) => column!.startsWith('history') || column === '@position')).toEqual([
      ['tokens:history', 'history.ad'],
      ['tokens:history', 'history.gap'],
    ]);
  });
});
