import { gatherColumns, gatherFloats, gatherInts } from './gather-columns.js';
import type { Shard } from './shard.js';

/** The given requests of a shard with their candidates, in that order, as a shard of its own. */
export const selectRequests = (shard: Shard, requests: Int32Array): Shard => {
  const offsets = new Int32Array(requests.length + 1);
  for (let i = 0; i < requests.length; i += 1) offsets[i + 1] = offsets[i]! + shard.offsets[requests[i]! + 1]! - shard.offsets[requests[i]!]!;
  const candidates = new Int32Array(offsets[requests.length]!);
  for (let i = 0; i < requests.length; i += 1) {
    const first = shard.offsets[requests[i]!]!;
    for (let row = offsets[i]!; row < offsets[i + 1]!; row += 1) candidates[row] = first + row - offsets[i]!;
  }
  const doubles = (byTask: ReadonlyMap<string, Float64Array>): ReadonlyMap<string, Float64Array> =>
    new Map([...byTask].map(([task, values]) => [task, Float64Array.from(candidates, (row) => values[row]!)]));
  return {
    requestCount: requests.length,
    candidateCount: candidates.length,
    offsets,
    requestIds: Array.from(requests, (request) => shard.requestIds[request]!),
    users: Array.from(requests, (request) => shard.users[request]!),
    times: Float64Array.from(requests, (request) => shard.times[request]!),
    surfaces: gatherInts(shard.surfaces, requests),
    viewTypes: gatherInts(shard.viewTypes, requests),
    requestColumns: gatherColumns(shard.requestColumns, requests),
    candidateColumns: gatherColumns(shard.candidateColumns, candidates),
    labels: shard.labels.map((labels) => gatherFloats(labels, candidates)),
    weights: gatherFloats(shard.weights, candidates),
    truths: doubles(shard.truths),
    outsides: doubles(shard.outsides),
  };
};
