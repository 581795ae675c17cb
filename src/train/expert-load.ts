import type { ModelLayout } from '../model/layout.js';
import type { StepResult } from './engine-protocol.js';
import type { Scalars } from './run-metrics.js';

/** How each surface's rows spread over the experts, per task, over all steps: mean gate weights. */
export class ExpertLoad {
  readonly #layout: ModelLayout;
  readonly #rows: Float64Array;
  #sums = new Float64Array(0);

  constructor(layout: ModelLayout) {
    this.#layout = layout;
    this.#rows = new Float64Array(layout.surfaces.length);
  }

  add({ expertLoad }: Pick<StepResult, 'expertLoad'>): void {
    if (expertLoad === undefined) return;
    const { sums, rows } = expertLoad;
    if (this.#sums.length === 0) this.#sums = new Float64Array(sums.length);
    sums.forEach((sum, index) => (this.#sums[index] = this.#sums[index]! + sum));
    rows.forEach((count, surface) => (this.#rows[surface] = this.#rows[surface]! + count));
  }

  /** Per `surface/task/expert`: shares that sum to 1 over the experts. Tasks that a surface lacks, and surfaces not yet seen, are left out. */
  bySurfaceAndTask(): Scalars {
    const { surfaces, tasks } = this.#layout;
    const experts = this.#sums.length / surfaces.length / tasks.length;
    return Object.fromEntries(
      surfaces.flatMap((surface, position) =>
        tasks.flatMap((task, index) =>
          this.#rows[position] === 0 || !task.surfaces.includes(surface)
            ? []
            : Array.from({ length: experts }, (_, expert): [string, number] => [
                `${surface}/${task.name}/${expert}`,
                this.#sums[(position * tasks.length + index) * experts + expert]! / this.#rows[position]!,
              ]),
        ),
      ),
    );
  }
}
