import { TrainingError } from '../config/errors.js';
import type { Batch } from '../data/batch.js';
import type { Column, Columns } from '../data/columns.js';
import { ABSENT_ROW } from '../data/encoder-state.js';
import { toInt64 } from '../data/int64.js';
import { ATTENTION_GROUPS, type DenseBlock, type LookupBlock, type LookupSlot, type ModelLayout, type RowSpace } from '../model/layout.js';
import { POSITION_COLUMN, SURFACE_COLUMN, VIEW_TYPE_COLUMN } from '../model/plan-layout.js';
import type { BatchFeeds, SlotValues } from './batch-feeds.js';
import { weighLabels } from './label-weights.js';
import { arrangeSequence } from './sequence-feeds.js';

/** What `makeFeeds` must know beside the batch. */
export interface FeedPlan {
  readonly layout: ModelLayout;
  /** Index into `batch.labels` of each of the layout's tasks. */
  readonly taskIndices: readonly number[];
  /** Whether the graph reads the candidates of each request (`segment_slots`). */
  readonly segments: boolean;
}

const mismatch = (column: string, expected: string, found: string): TrainingError =>
  new TrainingError(`the batch has ${found} where the model reads ${expected} column "${column}"`, {
    where: column,
    expected: `${expected} column`,
    fix: 'Prepare the data and train the model with the same config.',
  });

const requireColumn = <K extends Column['kind']>(columns: Columns, name: string, kind: K): Extract<Column, { kind: K }> => {
  const column = columns.get(name);
  if (column?.kind !== kind) throw mismatch(name, `${kind}`, column === undefined ? 'nothing' : `a column of ${column.kind}`);
  return column as Extract<Column, { kind: K }>;
};

/** Columns of a row space; a sequence's tokens are in columns of its requests. */
const columnsOf = (batch: Batch, rows: RowSpace): Columns => (rows === 'candidate' ? batch.candidateColumns : batch.requestColumns);

/** Distance of each token from the newest of its history. */
const positions = (offsets: Int32Array): Int32Array => {
  const distances = new Int32Array(offsets[offsets.length - 1]! - offsets[0]!);
  for (let request = 0, token = 0; request + 1 < offsets.length; request += 1) {
    for (let distance = offsets[request + 1]! - offsets[request]! - 1; distance >= 0; distance -= 1, token += 1) distances[token] = distance;
  }
  return distances;
};

/** Ids of a sequence's tokens, one a token. A batch without any event has one token, of the absent row, that nobody reads. */
const tokenValues = (batch: Batch, layout: ModelLayout, rows: RowSpace, column: string): SlotValues => {
  const sequence = layout.sequences.find(({ name }) => rows === `tokens:${name}`)!;
  const { offsets, values } = requireColumn(batch.requestColumns, column === POSITION_COLUMN ? sequence.column : column, 'ids');
  const own = column === POSITION_COLUMN ? positions(offsets) : values.slice(offsets[0]!, offsets[offsets.length - 1]!);
  return { values: own.length > 0 ? own : Int32Array.of(ABSENT_ROW) };
};

/** Ids are copied: a batch's columns may be views on a whole shard, which must not cross the thread with it. */
const slotValues = (batch: Batch, layout: ModelLayout, block: LookupBlock, slot: LookupSlot): SlotValues => {
  if (block.rows !== 'request' && block.rows !== 'candidate') return tokenValues(batch, layout, block.rows, slot.column);
  if (slot.column === SURFACE_COLUMN) return { values: batch.surfaces.slice() };
  if (slot.column === VIEW_TYPE_COLUMN) return { values: batch.viewTypes.slice() };
  const columns = columnsOf(batch, block.rows);
  if (slot.pooling === 'single') return { values: requireColumn(columns, slot.column, 'id').values.slice() };
  const { offsets, values } = requireColumn(columns, slot.column, 'ids');
  const start = offsets[0]!;
  return { values: values.slice(start, offsets[offsets.length - 1]!), offsets: offsets.map((offset) => offset - start) };
};

/** NaN becomes 0 with presence 0: a missing number is never a silent 0. */
const denseValues = (batch: Batch, block: DenseBlock): Float32Array => {
  const rows = block.rows === 'request' ? batch.requestCount : batch.candidateCount;
  const stride = block.blockWidth;
  const out = new Float32Array(rows * stride);
  const columns = columnsOf(batch, block.rows);
  for (const slot of block.slots) {
    const size = slot.size - 1;
    const column = requireColumn(columns, slot.column, slot.kind);
    const { values } = column;
    if (column.kind === 'vector' && column.size !== size) throw mismatch(slot.column, `a vector of ${size}`, `a vector of ${column.size}`);
    for (let row = 0, to = slot.offset, from = 0; row < rows; row += 1, to += stride, from += size) {
      let present = 1;
      for (let d = 0; d < size; d += 1) {
        const value = values[from + d]!;
        if (Number.isNaN(value)) present = 0;
        out[to + d] = value;
      }
      if (present === 1) out[to + size] = 1;
      else out.fill(0, to, to + size);
    }
  }
  return out;
};

const candidateCounts = (batch: Batch): Int32Array => {
  const counts = new Int32Array(batch.requestCount);
  for (const request of batch.rowToRequest) counts[request] = counts[request]! + 1;
  return counts;
};

/** Candidates are contiguous per request, so each request's slots are a run of rows. */
const segmentsOf = (batch: Batch, counts: Int32Array): NonNullable<BatchFeeds['segments']> => {
  const width = counts.reduce((most, count) => Math.max(most, count), 1);
  const slots = new Int32Array(batch.requestCount * width);
  const mask = new Float32Array(batch.requestCount * width);
  for (let request = 0, row = 0; request < batch.requestCount; request += 1) {
    for (let position = 0; position < counts[request]!; position += 1, row += 1) {
      slots[request * width + position] = row;
      mask[request * width + position] = 1;
    }
  }
  return { width, slots: toInt64(slots), mask };
};

const checkSurfaces = (batch: Batch, layout: ModelLayout): void => {
  const known = layout.surfaceIndices.reduce((sum, surface) => sum + batch.surfaceCandidates[surface]!, 0);
  if (known !== batch.candidateCount) {
    throw new TrainingError(`a batch has ${batch.candidateCount - known} candidates of surfaces that the model does not serve`, {
      expected: `candidates of ${layout.surfaces.join(', ')} only`,
      fix: "Read the dataset with the model's surfaces only.",
    });
  }
};

/** Features and how rows belong together; sequences in rectangles of `groupCount`. */
const featureFeeds = (batch: Batch, layout: ModelLayout, counts: Int32Array, groupCount: number): BatchFeeds => {
  checkSurfaces(batch, layout);
  return {
    requestCount: batch.requestCount,
    candidateCount: batch.candidateCount,
    surfaceCandidates: toInt64(layout.surfaceIndices.map((surface) => batch.surfaceCandidates[surface]!)),
    blocks: layout.blocks.map((block) => block.slots.map((slot) => slotValues(batch, layout, block, slot))),
    dense: layout.dense.map((block) => denseValues(batch, block)),
    rowToRequest: toInt64(batch.rowToRequest),
    sequences: layout.sequences.map((sequence) => arrangeSequence(sequence, requireColumn(batch.requestColumns, sequence.column, 'ids').offsets, counts, groupCount)),
  };
};

/**
 * Turns a batch into what the engine takes; with labels when training.
 *
 * @throws TrainingError when the batch does not hold what the layout reads.
 */
export const makeFeeds = (batch: Batch, plan: FeedPlan, training: boolean): BatchFeeds => {
  const { layout } = plan;
  const counts = candidateCounts(batch);
  return {
    ...featureFeeds(batch, layout, counts, ATTENTION_GROUPS),
    ...(plan.segments ? { segments: segmentsOf(batch, counts) } : {}),
    ...(training ? { labels: weighLabels(batch, layout, plan.taskIndices) } : {}),
  };
};

/**
 * The same without labels, for a graph with `groupCount` rectangles a sequence.
 *
 * @throws TrainingError when the batch does not hold what the layout reads.
 */
export const makeServingFeeds = (batch: Batch, layout: ModelLayout, groupCount: number): BatchFeeds => featureFeeds(batch, layout, candidateCounts(batch), groupCount);
