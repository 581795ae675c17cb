import type { ModelLayout } from '../model/layout.js';
import type { StepResult } from './engine-protocol.js';
import type { Scalars } from './run-metrics.js';

/** Steps after which a loss has lost 63 % of its say. */
const HORIZON = 100;

/** Mean cross entropy per surface and task over the recent steps, each row counting the same. */
export class RunningLoss {
  readonly #layout: ModelLayout;
  readonly #sums: Float64Array;
  readonly #counts: Float64Array;

  constructor(layout: ModelLayout) {
    this.#layout = layout;
    this.#sums = new Float64Array(layout.surfaces.length * layout.tasks.length);
    this.#counts = new Float64Array(this.#sums.length);
  }

  add(result: StepResult): void {
    const kept = Math.exp(-1 / HORIZON);
    for (let cell = 0; cell < this.#sums.length; cell += 1) {
      this.#sums[cell] = this.#sums[cell]! * kept + result.lossSums[cell]!;
      this.#counts[cell] = this.#counts[cell]! * kept + result.lossCounts[cell]!;
    }
  }

  /** Per surface: the mean over its labelled rows of all tasks. Surfaces not yet seen are left out. */
  bySurface(): Scalars {
    const tasks = this.#layout.tasks.length;
    return Object.fromEntries(
      this.#layout.surfaces.flatMap((surface, position) => {
        const sum = this.#sums.subarray(position * tasks, (position + 1) * tasks).reduce((a, b) => a + b, 0);
        const count = this.#counts.subarray(position * tasks, (position + 1) * tasks).reduce((a, b) => a + b, 0);
        return count === 0 ? [] : [[surface, sum / count]];
      }),
    );
  }

  /** Per `surface/task`. Pairs not yet seen are left out. */
  bySurfaceAndTask(): Scalars {
    const { surfaces, tasks } = this.#layout;
    return Object.fromEntries(
      surfaces.flatMap((surface, position) =>
        tasks.flatMap((task, index) => {
          const cell = position * tasks.length + index;
          return this.#counts[cell] === 0 ? [] : [[`${surface}/${task.name}`, this.#sums[cell]! / this.#counts[cell]!]];
        }),
      ),
    );
  }
}
