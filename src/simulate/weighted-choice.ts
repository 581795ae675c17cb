import type { Random } from './random.js';

/** Draws indices in proportion to fixed weights in constant time (Walker's alias method, in Vose's form). */
export class WeightedChoice {
  readonly #probability: Float64Array;
  readonly #alias: Int32Array;

  constructor(weights: ArrayLike<number>) {
    const count = weights.length;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weights[i]!;
    this.#probability = new Float64Array(count).fill(1);
    this.#alias = Int32Array.from({ length: count }, (_, i) => i);
    const scaled = Float64Array.from({ length: count }, (_, i) => (weights[i]! * count) / sum);
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < count; i++) (scaled[i]! < 1 ? small : large).push(i);
    while (small.length > 0 && large.length > 0) {
      const low = small.pop()!;
      const high = large.at(-1)!;
      this.#probability[low] = scaled[low]!;
      this.#alias[low] = high;
      scaled[high] = scaled[high]! + scaled[low]! - 1;
      if (scaled[high]! < 1) small.push(large.pop()!);
    }
  }

  draw(random: Random): number {
    const position = random.uniform() * this.#probability.length;
    const index = Math.floor(position);
    return position - index < this.#probability[index]! ? index : this.#alias[index]!;
  }
}
