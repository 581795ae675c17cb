import type { BlockGradient, SlotIds } from './embedding-kernel.js';
import { addRow } from './pooled-lookup.js';

/** Grown by doubling, so that steady training allocates nothing. */
const grown = <T extends Float32Array | Float64Array>(array: T, used: number, needed: number): T => {
  if (needed <= array.length) return array;
  const larger = new (array.constructor as new (length: number) => T)(Math.max(needed, 2 * array.length));
  larger.set(array.subarray(0, used));
  return larger;
};

/**
 * The gradients of one step summed per distinct fused row, in the order rows are first met. A position array over the
 * whole table replaces sorting and hashing; only its touched entries are cleared afterwards.
 */
export class GradientRows {
  readonly #width: number;
  /** 1 + index of the fused row in `rows`, or 0. */
  readonly #positions: Int32Array;
  #rows = new Float64Array(1024);
  #sums: Float32Array;
  #count = 0;

  constructor(width: number, tableRows: number) {
    this.#width = width;
    this.#positions = new Int32Array(tableRows);
    this.#sums = new Float32Array(1024 * width);
  }

  /** Distinct rows met since {@link clear}. */
  get count(): number {
    return this.#count;
  }

  /** Fused row of each. */
  get rows(): Float64Array {
    return this.#rows;
  }

  /** `[count, width]` summed gradients. */
  get sums(): Float32Array {
    return this.#sums;
  }

  /** Adds the gradients of one block; `max` needs the weights that the forward pass saw. */
  add(block: BlockGradient, weights: Float32Array): void {
    for (const slot of block.slots) {
      if (slot.offsets === undefined) this.#addSingle(slot, block);
      else if (slot.pooling === 'max') this.#addMax(slot, slot.offsets, block, weights);
      else this.#addPooled(slot, slot.offsets, block);
    }
  }

  clear(): void {
    for (let i = 0; i < this.#count; i += 1) this.#positions[this.#rows[i]!] = 0;
    this.#count = 0;
  }

  /** Where the sum of a fused row starts in `sums`; a new row starts at zero. */
  #start(fusedRow: number): number {
    const width = this.#width;
    let position = this.#positions[fusedRow]!;
    if (position === 0) {
      this.#count += 1;
      position = this.#count;
      this.#positions[fusedRow] = position;
      if (position > this.#rows.length) {
        this.#rows = grown(this.#rows, position - 1, position);
        this.#sums = grown(this.#sums, (position - 1) * width, position * width);
      }
      this.#rows[position - 1] = fusedRow;
      const sums = this.#sums;
      for (let i = (position - 1) * width; i < position * width; i += 1) sums[i] = 0;
    }
    return (position - 1) * width;
  }

  #addSingle(slot: SlotIds, block: BlockGradient): void {
    const { values, base } = slot;
    let from = slot.offset;
    for (let row = 0; row < block.rowCount; row += 1, from += block.stride) {
      const start = this.#start(base + values[row]!);
      addRow(block.gradient, from, this.#sums, start, this.#width, 1);
    }
  }

  #addPooled(slot: SlotIds, offsets: Int32Array, block: BlockGradient): void {
    const { values, base, pooling } = slot;
    let from = slot.offset;
    for (let row = 0; row < block.rowCount; row += 1, from += block.stride) {
      const end = offsets[row + 1]!;
      const share = pooling === 'mean' ? 1 / (end - offsets[row]!) : 1;
      for (let i = offsets[row]!; i < end; i += 1) {
        const start = this.#start(base + values[i]!);
        addRow(block.gradient, from, this.#sums, start, this.#width, share);
      }
    }
  }

  #addMax(slot: SlotIds, offsets: Int32Array, block: BlockGradient, weights: Float32Array): void {
    const { values, base } = slot;
    const width = this.#width;
    let from = slot.offset;
    for (let row = 0; row < block.rowCount; row += 1, from += block.stride) {
      const first = offsets[row]!;
      const end = offsets[row + 1]!;
      // Every entry was looked up, so every entry counts as touched, whether or not it holds a maximum.
      for (let i = first; i < end; i += 1) this.#start(base + values[i]!);
      for (let d = 0; d < width && first < end; d += 1) {
        let best = first;
        let largest = weights[(base + values[first]!) * width + d]!;
        for (let i = first + 1; i < end; i += 1) {
          const weight = weights[(base + values[i]!) * width + d]!;
          if (weight > largest) {
            largest = weight;
            best = i;
          }
        }
        const target = this.#start(base + values[best]!) + d;
        this.#sums[target] = this.#sums[target]! + block.gradient[from + d]!;
      }
    }
  }
}
