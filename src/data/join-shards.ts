import type { Column, Columns } from './columns.js';
import type { Shard } from './shard.js';

const joinArrays = <T extends Int32Array | Float32Array | Float64Array>(parts: readonly T[], into: T): T => {
  let start = 0;
  for (const part of parts) {
    into.set(part, start);
    start += part.length;
  }
  return into;
};

const total = (parts: readonly { readonly length: number }[]): number => parts.reduce((sum, part) => sum + part.length, 0);

/** Joins offsets that start at 0 in every part. */
const joinOffsets = (parts: readonly Int32Array[]): Int32Array => {
  const offsets = new Int32Array(parts.reduce((sum, part) => sum + part.length - 1, 1));
  let row = 0;
  let base = 0;
  for (const part of parts) {
    for (let i = 1; i < part.length; i += 1) offsets[row + i] = base + part[i]!;
    row += part.length - 1;
    base += part.at(-1)!;
  }
  return offsets;
};

const ints = (parts: readonly Int32Array[]): Int32Array => joinArrays(parts, new Int32Array(total(parts)));
const floats = (parts: readonly Float32Array[]): Float32Array => joinArrays(parts, new Float32Array(total(parts)));
const doubles = (parts: readonly Float64Array[]): Float64Array => joinArrays(parts, new Float64Array(total(parts)));

const joinByTask = (parts: readonly ReadonlyMap<string, Float64Array>[]): ReadonlyMap<string, Float64Array> =>
  new Map([...parts[0]!.keys()].map((task) => [task, doubles(parts.map((part) => part.get(task)!))]));

/** The same column of several parts, their rows under each other; lists' offsets start at 0 in every part. */
export const joinColumn = (parts: readonly Column[]): Column => {
  const [first] = parts;
  const of = <K extends Column['kind']>(kind: K): Extract<Column, { kind: K }>[] =>
    parts.filter((part): part is Extract<Column, { kind: K }> => part.kind === kind);
  switch (first!.kind) {
    case 'id':
      return { kind: 'id', values: ints(of('id').map((part) => part.values)) };
    case 'ids':
      return { kind: 'ids', offsets: joinOffsets(of('ids').map((part) => part.offsets)), values: ints(of('ids').map((part) => part.values)) };
    case 'number':
      return { kind: 'number', values: floats(of('number').map((part) => part.values)) };
    case 'vector':
      return { kind: 'vector', size: first!.size, values: floats(of('vector').map((part) => part.values)) };
  }
};

const joinColumns = (parts: readonly Columns[]): Columns =>
  new Map([...parts[0]!.keys()].map((name) => [name, joinColumn(parts.map((part) => part.get(name)!))]));

/** Several shards of one dataset as one, requests in the order of the shards. A single shard is returned as it is. */
export const joinShards = (shards: readonly Shard[]): Shard => {
  const [first] = shards;
  if (first === undefined) throw new TypeError('there is no shard to join');
  if (shards.length === 1) return first;
  const join = <T>(pick: (shard: Shard) => T): T[] => shards.map(pick);
  return {
    requestCount: join((shard) => shard.requestCount).reduce((a, b) => a + b, 0),
    candidateCount: join((shard) => shard.candidateCount).reduce((a, b) => a + b, 0),
    offsets: joinOffsets(join((shard) => shard.offsets)),
    requestIds: shards.flatMap((shard) => shard.requestIds),
    users: shards.flatMap((shard) => shard.users),
    times: doubles(join((shard) => shard.times)),
    surfaces: ints(join((shard) => shard.surfaces)),
    viewTypes: ints(join((shard) => shard.viewTypes)),
    requestColumns: joinColumns(join((shard) => shard.requestColumns)),
    candidateColumns: joinColumns(join((shard) => shard.candidateColumns)),
    labels: first.labels.map((_, task) => floats(join((shard) => shard.labels[task]!))),
    weights: floats(join((shard) => shard.weights)),
    truths: joinByTask(join((shard) => shard.truths)),
    outsides: joinByTask(join((shard) => shard.outsides)),
  };
};
