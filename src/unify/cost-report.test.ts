import { describe, expect, it } from 'vitest';
import { SMALL_ENCODERS, SMALL_SURFACES, smallModel, smallProject } from '../../test/support/small-model.js';
import type { ModelConfig } from '../config/project.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { Traffic } from '../data/traffic.js';
import { costReport, separateCosts } from './cost-report.js';
import { requestShape } from './traffic-shape.js';

const manifest = { encoders: SMALL_ENCODERS } as PreparedManifest;

/** Home: 2 candidates a request and half of the histories empty; search: 5 and all of them full; related: 1 and no history. */
const traffic: Traffic = {
  surfaces: [
    { surface: 'home', requests: 100, candidates: 200, lists: new Map([['history.ad', { lengths: [0, 2], counts: [50, 50] }]]) },
    { surface: 'search', requests: 40, candidates: 200, lists: new Map([['history.ad', { lengths: [3], counts: [40] }]]) },
    { surface: 'related', requests: 10, candidates: 10, lists: new Map([['history.ad', { lengths: [0], counts: [10] }]]) },
  ],
  candidateLists: new Map([['tags', 1.5]]),
};

const SMALL: ModelConfig = { preset: 'unified', embedding: { width: 2 }, cross: { layers: 1 }, mlp: [4], tower: [3] };
const FULL: ModelConfig = { ...SMALL, transformer: { width: 8, layers: 1 }, projection: { width: 2 }, experts: { count: 2, hidden: [3] } };

const report = (config: ModelConfig) => {
  const project = smallProject({ one: config });
  return costReport(project, project.models['one']!, manifest, traffic);
};

describe('requestShape', () => {
  it('is the average request, padded by groups of like length', () => {
    const { layout } = smallModel(FULL).graph;
    const [home, search, related] = traffic.surfaces;
    expect(requestShape(layout, [home!])).toEqual({
      requests: 1,
      candidates: { home: 2 },
      sequences: { history: { tokens: 1, groups: [{ requests: 0.5, length: 0 }, { requests: 0.5, length: 2 }] } },
    });
    const all = requestShape(layout, [home!, search!, related!]);
    expect(all.candidates).toEqual({ home: 200 / 150, search: 200 / 150, related: 10 / 150 });
    expect(all.sequences['history']!.tokens).toBeCloseTo((50 * 2 + 40 * 3) / 150, 12);
    // Three lengths fit into four groups: nothing is padded.
    expect(all.sequences['history']!.groups.reduce((sum, { requests, length }) => sum + requests * length, 0)).toBeCloseTo(all.sequences['history']!.tokens, 2);
  });
});

describe('costReport', () => {
  it('splits each surface into modules, and all traffic into surfaces', () => {
    const [run] = report(FULL);
    expect(run!.surfaces.map(({ surface }) => surface)).toEqual(SMALL_SURFACES);
    expect(run!.surfaces.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    for (const { surface, candidatesPerRequest, forward, modules, broadcastingSaves } of run!.surfaces) {
      const perRequest = modules.reduce((sum, one) => sum + one.forward.perRequest, 0);
      const perCandidate = modules.reduce((sum, one) => sum + one.forward.perCandidate, 0);
      expect(forward.perRequest).toBeCloseTo(perRequest, 6);
      expect(forward.perCandidateAllIn).toBeCloseTo(perRequest / candidatesPerRequest + perCandidate, 6);
      for (const other of SMALL_SURFACES) {
        const tower = modules.find(({ module }) => module === `tower.${other}`)!;
        if (other === surface) expect(tower.forward.perCandidate).toBeGreaterThan(0);
        else expect(tower.forward.perCandidate).toBe(0);
      }
      // A request of one candidate has nothing to broadcast.
      if (candidatesPerRequest === 1) expect(broadcastingSaves).toBeCloseTo(1, 9);
      else expect(broadcastingSaves).toBeGreaterThan(1.05);
    }
    expect(run!.modules.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(run!.parameters);
  });

  it('counts the bytes of lookups', () => {
    const [run] = report(SMALL);
    const home = run!.surfaces[0]!;
    // Request side, of width 2: surface, view type, query, and the pooled ad and gap (a list that is not counted has none); user, of width 3.
    const request = 3 * 2 * 2 + (1 + 1) * 2 + (0 + 1) * 2 + 2 * 3;
    // Candidate side: ad, price, and 1.5 tags pooled.
    const candidate = 2 * 2 * 2 + (1.5 + 1) * 2;
    expect(home.lookupBytesPerCandidate.forward).toBeCloseTo(4 * (request / 2 + candidate), 9);
    expect(run!.tables).toEqual([
      { width: 2, rows: 3 + 5 + 7 + 6 + 19 + 4 + 6, bytes: 50 * 8, stateBytes: 50 * 4 },
      { width: 3, rows: 5, bytes: 60, stateBytes: 20 },
    ]);
  });

  it('states what the projection saves, and nothing without one', () => {
    const [run] = report(FULL);
    expect(run!.withoutProjection!.forward).toBeGreaterThan(run!.perThousandCandidates.forward);
    expect(report(SMALL)[0]!.withoutProjection).toBeUndefined();
  });

  it('has a run for each surface of a separate model, whose cost is the one that orders them', () => {
    const runs = report({ ...SMALL, preset: 'separate' });
    expect(runs.map(({ run }) => run)).toEqual(SMALL_SURFACES);
    const project = smallProject({ one: SMALL });
    const costs = separateCosts(project, project.models['one']!, manifest, traffic);
    for (const { surfaces: [own] } of runs) expect(costs[own!.surface]).toBeCloseTo(own!.forward.perCandidateAllIn, 9);
  });

  it('cuts the batch that training would', () => {
    const [unbound] = report({ ...FULL, training: { batchSize: 410 } });
    expect(unbound!.batch).toMatchObject({ candidates: 410, requests: 150 });
    const [bound] = report({ ...FULL, training: { batchSize: 410, batchTokens: 22 } });
    expect(bound!.batch.requests).toBeCloseTo(15, 9);
    expect(unbound!.batch.peakBytes / bound!.batch.peakBytes).toBeGreaterThan(8);
    expect(report({ ...FULL, training: { batchSize: 410, batchRequests: 3 } })[0]!.batch.requests).toBe(3);
  });
});
