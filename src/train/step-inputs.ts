import { Tensor } from 'onnxruntime-node';
import type { Dim } from '../graph/tensor.js';
import { rowsDim } from '../model/inputs.js';
import { INPUT, type ModelLayout, type RowSpace } from '../model/layout.js';
import { rowCountOf, type BatchFeeds } from './batch-feeds.js';
import { fillDropoutMask } from './dropout-mask.js';
import type { FilledBlock } from './embedding-store.js';
import { STEP } from './step-graph.js';

type Inputs = Map<string, Tensor>;

const float32 = (data: Float32Array, shape: readonly number[]): Tensor => new Tensor('float32', data, shape);
const int64 = (data: BigInt64Array, shape: readonly number[]): Tensor => new Tensor('int64', data, shape);

/** Inputs that training and scoring share: features and how rows belong together. */
export const batchInputs = (layout: ModelLayout, feeds: BatchFeeds, filled: readonly FilledBlock[]): Inputs => {
  const inputs: Inputs = new Map();
  for (const block of filled) inputs.set(block.name, float32(block.rows, [block.rowCount, block.stride]));
  layout.dense.forEach((block, index) => {
    const values = feeds.dense[index]!;
    inputs.set(block.name, float32(values, [values.length / block.blockWidth, block.blockWidth]));
  });
  inputs.set(INPUT.rowToRequest, int64(feeds.rowToRequest, [feeds.candidateCount]));
  inputs.set(INPUT.surfaceCandidates, int64(feeds.surfaceCandidates, [feeds.surfaceCandidates.length]));
  for (const { tensors } of feeds.sequences) {
    for (const { name, shape, data } of tensors) inputs.set(name, data instanceof Int32Array ? new Tensor('int32', data, shape) : float32(data, shape));
  }
  if (feeds.segments !== undefined) {
    const { width, slots, mask } = feeds.segments;
    inputs.set(INPUT.segmentSlots, int64(slots, [feeds.requestCount, width]));
    inputs.set(INPUT.segmentMask, float32(mask, [feeds.requestCount, 1, width]));
  }
  return inputs;
};

/** Adds the labels and what each weighs. */
export const addLabels = (inputs: Inputs, layout: ModelLayout, labels: NonNullable<BatchFeeds['labels']>): void => {
  const shape = [labels.values.length / layout.tasks.length, layout.tasks.length];
  inputs.set(STEP.labels, float32(labels.values, shape));
  inputs.set(STEP.labelWeights, float32(labels.weights, shape));
};

/** When scoring, nothing is dropped: `[1, width]` ones broadcast over the rows. */
export const addScoringMasks = (inputs: Inputs, layout: ModelLayout): void => {
  for (const { name, width } of layout.dropout) inputs.set(name, float32(new Float32Array(width).fill(1), [1, width]));
};

/** Rows of a symbolic dim: `requests`, `candidates`, `tokens:<sequence>`, or `candidates:<surface>` after rows are routed by surface. */
const rowsOf = (dim: Dim, layout: ModelLayout, feeds: BatchFeeds): number => {
  if (dim === 'requests') return feeds.requestCount;
  if (typeof dim === 'string' && dim.startsWith('tokens:')) return rowCountOf(dim as RowSpace, feeds);
  const surface = typeof dim === 'string' && dim.startsWith('candidates:') ? layout.surfaces.indexOf(dim.slice('candidates:'.length)) : -1;
  return surface < 0 ? feeds.candidateCount : Number(feeds.surfaceCandidates[surface]!);
};

/** The dropout masks of a model's train steps, drawn into buffers that are kept. */
export class DropoutMasks {
  readonly #layout: ModelLayout;
  readonly #seed: number;
  readonly #rows: readonly Dim[];
  readonly #buffers: Float32Array[];

  /** @param inputs the train model's inputs: a mask has as many rows as its input says */
  constructor(layout: ModelLayout, inputs: readonly { readonly name: string; readonly shape: readonly Dim[] }[], seed: number) {
    this.#layout = layout;
    this.#seed = seed;
    this.#rows = layout.dropout.map(({ name, rows }) => inputs.find((entry) => entry.name === name)?.shape[0] ?? rowsDim(rows));
    this.#buffers = layout.dropout.map(() => new Float32Array(0));
  }

  addTo(inputs: Inputs, feeds: BatchFeeds, step: number): void {
    this.#layout.dropout.forEach(({ name, width, rate }, index) => {
      const rows = rowsOf(this.#rows[index]!, this.#layout, feeds);
      if (this.#buffers[index]!.length < rows * width) this.#buffers[index] = new Float32Array(Math.ceil(rows * width * 1.1));
      const mask = this.#buffers[index]!.subarray(0, rows * width);
      fillDropoutMask(mask, rate, this.#seed, step, index);
      inputs.set(name, float32(mask, [rows, width]));
    });
  }
}
