import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plainRow } from '../../test/fixtures/encode-oracle.js';
import { candidatesOf, selectionArbitrary } from '../../test/fixtures/shard-arbitrary.js';
import type { Columns } from './columns.js';
import { selectRequests } from './select-requests.js';

const expectColumns = (actual: Columns, from: Columns, rows: readonly number[]): void => {
  expect([...actual.keys()]).toEqual([...from.keys()]);
  for (const [name, column] of from) expect(rows.map((_, i) => plainRow(actual.get(name)!, i))).toEqual(rows.map((row) => plainRow(column, row)));
};

it('equals a shard put together row by row', () => {
  fc.assert(
    fc.property(selectionArbitrary, ([shard, selected]) => {
      const own = selectRequests(shard, selected);
      const requests = [...selected];
      const candidates = requests.flatMap((request) => candidatesOf(shard, request));
      expect(own.requestCount).toBe(requests.length);
      expect(own.candidateCount).toBe(candidates.length);
      expect(requests.map((_, i) => candidatesOf(own, i).length)).toEqual(requests.map((request) => candidatesOf(shard, request).length));
      for (const name of ['requestIds', 'users', 'times', 'surfaces', 'viewTypes'] as const) expect([...own[name]]).toEqual(requests.map((request) => shard[name][request]));
      expectColumns(own.requestColumns, shard.requestColumns, requests);
      expectColumns(own.candidateColumns, shard.candidateColumns, candidates);
      expect(own.labels.map((labels) => [...labels])).toEqual(shard.labels.map((labels) => candidates.map((row) => labels[row])));
      expect([...own.weights]).toEqual(candidates.map((row) => shard.weights[row]));
      for (const name of ['truths', 'outsides'] as const) expect([...own[name].get('click')!]).toEqual(candidates.map((row) => shard[name].get('click')![row]));
    }),
    { numRuns: 200 },
  );
});
