/** Where the ragged tokens of a sequence, and the candidates that read it, stand in the rectangles that attention needs. */
import { ATTENTION_GROUPS, MASKED_SCORE, sequenceInput, type SequenceLayout } from '../model/layout.js';

/** A graph input, ready to be wrapped. */
export interface FeedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Int32Array | Float32Array;
}

/** One sequence's part of a batch. */
export interface SequenceFeeds {
  readonly name: string;
  /** Rows of the sequence's token blocks: at least 1, so that nothing is ever gathered from an empty matrix. */
  readonly tokenCount: number;
  /** Places of the rectangles, and events in them; none of either in a batch without any event. */
  readonly places: number;
  readonly events: number;
  readonly tensors: readonly FeedTensor[];
}

/** Requests of similar history length, padded to the longest. */
interface LengthGroup {
  readonly requests: readonly number[];
  readonly length: number;
}

/**
 * Cuts requests, by history length, into at most `groups` groups such that padding each to its longest wastes least: an
 * exact dynamic program over the distinct lengths.
 */
export const groupByLength = (lengths: Int32Array, groups: number): LengthGroup[] => {
  const counts = new Map<number, number>();
  for (const length of lengths) counts.set(length, (counts.get(length) ?? 0) + 1);
  const distinct = [...counts.keys()].sort((a, b) => a - b);
  const size = distinct.length;
  const upTo = new Float64Array(size + 1);
  distinct.forEach((length, index) => (upTo[index + 1] = upTo[index]! + counts.get(length)!));
  // best[g][i]: fewest places for the first i distinct lengths in g groups; cut[g][i]: where the last of them begins.
  let best = Float64Array.from({ length: size + 1 }, (_, i) => (i === 0 ? 0 : Infinity));
  const cuts: Int32Array[] = [];
  for (let group = 0; group < groups; group += 1) {
    const next = Float64Array.from(best);
    const cut = new Int32Array(size + 1).fill(-1);
    for (let end = 1; end <= size; end += 1) {
      for (let start = 0; start < end; start += 1) {
        const places = best[start]! + (upTo[end]! - upTo[start]!) * distinct[end - 1]!;
        if (places < next[end]!) {
          next[end] = places;
          cut[end] = start;
        }
      }
    }
    cuts.push(cut);
    best = next;
  }
  const found: LengthGroup[] = [];
  let end = size;
  for (let group = groups - 1; group >= 0 && end > 0; group -= 1) {
    const start = cuts[group]![end]!;
    if (start < 0) continue;
    const [shortest, longest] = [distinct[start]!, distinct[end - 1]!];
    const requests: number[] = [];
    lengths.forEach((length, request) => {
      if (length >= shortest && length <= longest) requests.push(request);
    });
    found.push({ requests, length: longest });
    end = start;
  }
  return found.reverse();
};

/** Puts the heads of rows `(row · parts + part) · heads + head` into `[requests, heads, length]` rectangles. */
const rectangles = (
  groups: readonly LengthGroup[],
  rowsOf: { readonly starts: Int32Array; readonly counts: Int32Array },
  lengthOf: (group: LengthGroup) => number,
  heads: number,
  parts: number,
  rowCount: number,
): { readonly sources: readonly { readonly part: number; readonly group: number; readonly shape: readonly number[]; readonly data: Int32Array }[]; readonly places: Int32Array } => {
  const places = new Int32Array(rowCount * parts * heads).fill(-1);
  let place = 0;
  const sources = Array.from({ length: parts }, (_, part) =>
    groups.map((group, index) => {
      const length = lengthOf(group);
      const data = new Int32Array(group.requests.length * heads * length).fill(-1);
      let base = 0;
      for (const request of group.requests) {
        const [start, count] = [rowsOf.starts[request]!, rowsOf.counts[request]!];
        for (let head = 0; head < heads; head += 1, base += length) {
          for (let at = 0; at < count; at += 1) {
            const row = ((start + at) * parts + part) * heads + head;
            data[base + at] = row;
            places[row] = place + base + at;
          }
        }
      }
      place += data.length;
      return { part, group: index, shape: [group.requests.length, heads, length], data };
    }),
  ).flat();
  return { sources, places };
};

const causalBias = (length: number): Float32Array => {
  const bias = new Float32Array(length * length);
  for (let row = 0; row < length; row += 1) bias.fill(MASKED_SCORE, row * length + row + 1, (row + 1) * length);
  return bias;
};

const keyBias = ({ requests, length }: LengthGroup, lengths: Int32Array): Float32Array => {
  const bias = new Float32Array(requests.length * length);
  requests.forEach((request, index) => bias.fill(MASKED_SCORE, index * length + lengths[request]!, (index + 1) * length));
  return bias;
};

/**
 * Arranges one sequence of a batch.
 *
 * @param offsets request i owns tokens `[offsets[i], offsets[i + 1])`
 * @param candidateCounts candidates of each request; they are contiguous, in request order
 * @param groupCount as many as the graph's frame has
 */
export const arrangeSequence = (sequence: SequenceLayout, offsets: Int32Array, candidateCounts: Int32Array, groupCount: number = ATTENTION_GROUPS): SequenceFeeds => {
  const { name, heads, attention } = sequence;
  const requestCount = candidateCounts.length;
  const lengths = Int32Array.from({ length: requestCount }, (_, request) => offsets[request + 1]! - offsets[request]!);
  const events = offsets[requestCount]! - offsets[0]!;
  const tokenCount = Math.max(events, 1);
  // A batch without any event has one token all the same: the first request's, which is masked and read by nobody.
  const placed = events > 0 ? lengths : Int32Array.from(lengths, (_, request) => (request === 0 ? 1 : 0));
  const found = groupByLength(placed, groupCount);
  const groups = Array.from({ length: groupCount }, (_, index): LengthGroup => {
    const group = found[index];
    return { requests: group?.requests ?? [], length: Math.max(1, group?.length ?? 0) };
  });

  const tensors: FeedTensor[] = [];
  const tokenRows = { starts: offsets.map((offset) => offset - offsets[0]!), counts: placed };
  for (const parts of sequence.readByCandidates ? [1, 2, 3] : [1, 3]) {
    const { sources, places } = rectangles(groups, tokenRows, ({ length }) => length, heads, parts, tokenCount);
    for (const { part, group, shape, data } of sources) tensors.push({ name: sequenceInput.headSources(name, parts, part, group), shape, data });
    tensors.push({ name: sequenceInput.headPlaces(name, parts), shape: [places.length], data: places });
  }
  groups.forEach((group, index) => {
    const { length, requests } = group;
    if (attention === 'causal') tensors.push({ name: sequenceInput.causalBias(name, index), shape: [1, 1, length, length], data: causalBias(length) });
    if (attention === 'full' || sequence.readByCandidates) tensors.push({ name: sequenceInput.keyBias(name, index), shape: [requests.length, 1, 1, length], data: keyBias(group, lengths) });
  });

  const candidateStarts = new Int32Array(requestCount + 1);
  candidateCounts.forEach((count, request) => (candidateStarts[request + 1] = candidateStarts[request]! + count));
  const candidateCount = candidateStarts[requestCount]!;
  if (sequence.readByCandidates) {
    const most = ({ requests }: LengthGroup): number => requests.reduce((longest, request) => Math.max(longest, candidateCounts[request]!), 1);
    const { sources, places } = rectangles(groups, { starts: candidateStarts, counts: candidateCounts }, most, heads, 1, candidateCount);
    for (const { group, shape, data } of sources) tensors.push({ name: sequenceInput.candidateSources(name, group), shape, data });
    tensors.push({ name: sequenceInput.candidatePlaces(name), shape: [places.length], data: places });
    const hasHistory = new Float32Array(candidateCount);
    lengths.forEach((length, request) => hasHistory.fill(length > 0 ? 1 : 0, candidateStarts[request]!, candidateStarts[request + 1]!));
    tensors.push({ name: sequenceInput.hasHistory(name), shape: [candidateCount, 1], data: hasHistory });
  }
  const newest = Int32Array.from(lengths, (length, request) => (length > 0 ? offsets[request + 1]! - offsets[0]! - 1 : -1));
  const newestOf = new Int32Array(tokenCount).fill(-1);
  newest.forEach((token, request) => {
    if (token >= 0) newestOf[token] = request;
  });
  tensors.push({ name: sequenceInput.newest(name), shape: [requestCount], data: newest }, { name: sequenceInput.newestOf(name), shape: [tokenCount], data: newestOf });
  const places = events === 0 ? 0 : groups.reduce((sum, { requests, length }) => sum + requests.length * length, 0);
  return { name, tokenCount, places, events, tensors };
};
