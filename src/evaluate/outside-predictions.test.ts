import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidatesOf, shardArbitrary } from '../../test/fixtures/shard-arbitrary.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { Shard } from '../data/shard.js';
import { concatPredictions } from './concat-predictions.js';
import { outsidePredictions } from './outside-predictions.js';
import type { Predictions } from './predictions.js';

const SURFACES = ['home', 'search', 'related'];
const counts = { shards: [], counts: {} };
const manifest: PreparedManifest = {
  version: 1,
  project: 'outside',
  key: 'k',
  sources: [],
  encoders: { tables: [], columns: [], surfaces: SURFACES, viewTypes: Array.from({ length: 30 }, (_, index) => `view${index}`) },
  tasks: [
    { name: 'click', surfaces: SURFACES, weight: 1 },
    { name: 'save', surfaces: SURFACES, weight: 1 },
  ],
  boundaries: { from: 0, validation: 1, test: 2, until: 3 },
  splits: { train: counts, validation: counts, test: counts },
  // Probabilities are taken as they are, whatever was sampled.
  sampling: { search: { task: 'click', rate: 0.25 } },
  rawRows: {},
  quarantined: 0,
};

const predict = async (shards: readonly Shard[], surfaces: readonly string[]): Promise<Predictions> => {
  const dataset = {
    async *iterateShards() {
      for (const [number, shard] of shards.entries()) yield await Promise.resolve({ shard, number });
    },
  };
  const chunks: Predictions[] = [];
  for await (const chunk of outsidePredictions(dataset, manifest, surfaces)) chunks.push(chunk);
  expect(chunks).toHaveLength(shards.length);
  return concatPredictions(chunks);
};

describe('outsidePredictions', () => {
  it('gives the rows of the surfaces in their order, with what the outside model said of them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(shardArbitrary, { minLength: 1, maxLength: 3 }), fc.subarray(SURFACES, { minLength: 1 }), async (shards, surfaces) => {
        const rows = shards.flatMap((shard) =>
          Array.from({ length: shard.requestCount }, (_, request) => request)
            .filter((request) => surfaces.includes(SURFACES[shard.surfaces[request]!]!))
            .flatMap((request) => candidatesOf(shard, request).map((row) => ({ shard, request, row }))),
        );
        const predictions = await predict(shards, surfaces);
        expect(predictions.count).toBe(rows.length);
        const [click, save] = predictions.tasks;
        expect([click!.task, save!.task]).toEqual(['click', 'save']);
        rows.forEach(({ shard, request, row }, index) => {
          expect(predictions.surfaceNames[predictions.surfaces[index]!]).toBe(SURFACES[shard.surfaces[request]!]);
          expect(predictions.viewTypes[index]).toBe(predictions.viewTypeNames.indexOf(`view${shard.viewTypes[request]!}`));
          expect(click!.probabilities[index]).toBe(Math.fround(shard.outsides.get('click')![row]!));
          expect(click!.truths![index]).toBe(shard.truths.get('click')![row]);
          expect(click!.labels[index]).toBe(shard.labels[0]![row]);
          // The outside model does not have this task.
          expect(save!.probabilities[index]).toBeNaN();
          expect(save!.labels[index]).toBe(shard.labels[1]![row]);
        });
        // Requests and users are told apart as the shards tell them.
        const request = rows.map(({ shard, request: of }) => `${shards.indexOf(shard)}/${of}`);
        const user = rows.map(({ shard, request: of }) => shard.users[of]!);
        expect([...predictions.requests]).toEqual(request.map((key) => [...new Set(request)].indexOf(key)));
        expect([...predictions.users]).toEqual(user.map((key) => [...new Set(user)].indexOf(key)));
      }),
      { numRuns: 40 },
    );
  });
});
