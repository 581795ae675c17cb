import type { BlockGradient, EmbeddingKernel, EmbeddingTable, RowWiseAdagrad, SlotIds } from './embedding-kernel.js';
import { GradientRows } from './gradient-rows.js';
import { checkIds, lookupSlot } from './pooled-lookup.js';
import { applyRowWiseAdagrad } from './row-wise-adagrad.js';

class TypeScriptTable implements EmbeddingTable {
  readonly width: number;
  readonly rows: number;
  readonly weights: Float32Array;
  readonly accumulators: Float32Array;
  /** Made by the first update: a table that only scores needs no scratch. */
  #gradients: GradientRows | undefined;

  constructor(width: number, rows: number) {
    this.width = width;
    this.rows = rows;
    this.weights = new Float32Array(rows * width);
    this.accumulators = new Float32Array(rows);
  }

  lookup(slots: readonly SlotIds[], rowCount: number, out: Float32Array, stride: number): void {
    for (const slot of slots) checkIds(slot, rowCount);
    for (const slot of slots) lookupSlot(this.weights, this.width, slot, rowCount, out, stride);
  }

  update(blocks: readonly BlockGradient[], optimizer: RowWiseAdagrad): number {
    for (const block of blocks) for (const slot of block.slots) checkIds(slot, block.rowCount);
    this.#gradients ??= new GradientRows(this.width, this.rows);
    const gradients = this.#gradients;
    for (const block of blocks) gradients.add(block, this.weights);
    applyRowWiseAdagrad(this, gradients.rows, gradients.sums, gradients.count, optimizer);
    const { count } = gradients;
    gradients.clear();
    return count;
  }
}

/** The readable kernel: runs everywhere, and is the oracle of the native one. */
export const typescriptKernel: EmbeddingKernel = {
  name: 'typescript',
  createTable: (width, rows) => new TypeScriptTable(width, rows),
};
