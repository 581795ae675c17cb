import { describe, expect, it } from 'vitest';
import { SMALL_SURFACES, smallFeeds, smallModel, smallProject } from '../../test/support/small-model.js';
import { loadGraph, type Feeds } from '../graph/check/run-graph.js';
import { INPUT } from './layout.js';
import { surfaceGroups } from './build-model.js';
import type { ModelGraph } from './model-graph.js';

const namesOf = (graph: ModelGraph): string[] => graph.parameters.map(({ spec }) => spec.name).sort();

const trunk = ['trunk.cross.layer0.bias', 'trunk.cross.layer0.weight.candidate', 'trunk.cross.layer0.weight.request', 'trunk.mlp.dense0.bias', 'trunk.mlp.dense0.weight'];
const tower = (surface: string): string[] => ['dense0.bias', 'dense0.weight', 'head.bias', 'head.weight'].map((name) => `tower.${surface}.${name}`);

describe('presets', () => {
  it('share the trunk and a head in a unified model, which has a tower per surface', () => {
    expect(namesOf(smallModel().graph)).toEqual(['shared_head.bias', 'shared_head.weight', ...SMALL_SURFACES.flatMap(tower), ...trunk].sort());
  });

  it('have one tower and no shared head in a separate model', () => {
    expect(namesOf(smallModel({ preset: 'separate' }, ['search']).graph)).toEqual([...tower('search'), ...trunk].sort());
  });

  it('train all surfaces together or each alone', () => {
    const project = smallProject({ unified: { preset: 'unified' }, separate: { preset: 'separate' }, linear: { preset: 'linear' } });
    expect(surfaceGroups(project, project.models['unified']!)).toEqual([SMALL_SURFACES]);
    for (const name of ['separate', 'linear']) expect(surfaceGroups(project, project.models[name]!)).toEqual(SMALL_SURFACES.map((surface) => [surface]));
  });

  it('ask for dropout masks after every hidden layer', () => {
    expect(smallModel({ dropout: 0.3 }, SMALL_SURFACES).graph.layout.dropout.map(({ width, rate, rows }) => [width, rate, rows])).toEqual([
      [4, 0.3, 'candidate'],
      [3, 0.3, 'candidate'],
      [3, 0.3, 'candidate'],
      [3, 0.3, 'candidate'],
    ]);
  });

  it('score scoring masks as no dropout at all', async () => {
    const [dropped, plain] = [smallModel({ dropout: 0.3 }).graph, smallModel().graph];
    const requests = [[2], [1, 2], [1]];
    const run = async (graph: ModelGraph): Promise<readonly number[]> => (await (await loadGraph({ logits: graph.logits })).run(smallFeeds(graph, requests)))['logits']!.values;
    expect(await run(dropped)).toEqual(await run(plain));
  });
});

describe('the linear preset', () => {
  /** Sum of the weights of a row's ids, its dense features times theirs, and the bias. */
  const byHand = (graph: ModelGraph, feeds: Feeds): number[] => {
    const tasks = graph.layout.tasks.length;
    const rowOf = (name: string, row: number): readonly number[] => {
      const { values, shape } = feeds[name]!;
      return values.slice(row * shape[1]!, (row + 1) * shape[1]!);
    };
    return feeds[INPUT.rowToRequest]!.values.flatMap((request, candidate) => {
      const at = (side: 'request' | 'candidate'): number => (side === 'request' ? request : candidate);
      const dense = graph.layout.dense.flatMap((block) => rowOf(block.name, at(block.rows)));
      return Array.from({ length: tasks }, (_, task) => {
        let logit = feeds['bias']!.values[task]! + feeds['dense.bias']!.values[task]!;
        dense.forEach((value, index) => (logit += value * feeds['dense.weight']!.values[index * tasks + task]!));
        for (const block of graph.layout.blocks) {
          rowOf(block.name, at(block.rows as 'request' | 'candidate')).forEach((value, index) => (logit += index % tasks === task ? value : 0));
        }
        return logit;
      });
    });
  };

  it.each([['home', 1], ['search', 2], ['related', 2]] as const)('is a sum of weights, one per id and task: %s has %i', async (surface, tasks) => {
    const { graph } = smallModel({ preset: 'linear' }, [surface]);
    const feeds = smallFeeds(graph, [[2, 1, 3]]);
    const { values, shape } = (await (await loadGraph({ logits: graph.logits })).run(feeds))['logits']!;
    expect(shape).toEqual([6, tasks]);
    const expected = byHand(graph, feeds);
    values.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 4));
  });
});
