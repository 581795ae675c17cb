import type { RequestState } from './request-state.js';
import { SURFACES, TASKS, tasksOf } from './surface-definitions.js';
import type { SimulatedTask } from './surface-definitions.js';

/** What is known of one task on one surface. */
export interface TaskFloor {
  readonly positives: number;
  /** Share of positive labels. */
  readonly rate: number;
  /** Mean true probability. */
  readonly trueRate: number;
  /** Entropy of the true probabilities, in nats a candidate: the log loss that no model can expect to beat. */
  readonly entropyFloor: number;
  /** Log loss of the true probabilities on the labels drawn. */
  readonly logLoss: number;
}

export interface SurfaceFloor {
  readonly requests: number;
  readonly candidates: number;
  readonly tasks: Readonly<Partial<Record<SimulatedTask, TaskFloor>>>;
}

/** Sums up, request by request, how well the best possible model can do. */
export class FloorTally {
  readonly #requests = new Float64Array(SURFACES.length);
  readonly #candidates = new Float64Array(SURFACES.length);
  /** `[surfaces, tasks]` each. */
  readonly #positives = new Float64Array(SURFACES.length * TASKS.length);
  readonly #probability = new Float64Array(SURFACES.length * TASKS.length);
  readonly #entropy = new Float64Array(SURFACES.length * TASKS.length);
  readonly #loss = new Float64Array(SURFACES.length * TASKS.length);

  add(request: RequestState): void {
    const surface = request.surface;
    this.#requests[surface] = this.#requests[surface]! + 1;
    this.#candidates[surface] = this.#candidates[surface]! + request.count;
    const tasks = SURFACES[surface]!.hasHide ? TASKS.length : TASKS.length - 1;
    for (let task = 0; task < tasks; task++) {
      let positives = 0;
      let sum = 0;
      let entropy = 0;
      let loss = 0;
      for (let i = 0; i < request.count; i++) {
        const p = request.probability[task]![i]!;
        const ifPositive = -Math.log(p);
        const ifNegative = -Math.log1p(-p);
        sum += p;
        entropy += p * ifPositive + (1 - p) * ifNegative;
        if (request.label[task]![i] === 1) {
          positives++;
          loss += ifPositive;
        } else {
          loss += ifNegative;
        }
      }
      const cell = surface * TASKS.length + task;
      this.#positives[cell] = this.#positives[cell]! + positives;
      this.#probability[cell] = this.#probability[cell]! + sum;
      this.#entropy[cell] = this.#entropy[cell]! + entropy;
      this.#loss[cell] = this.#loss[cell]! + loss;
    }
  }

  /** Of surface `index`. */
  floor(index: number): SurfaceFloor {
    const candidates = this.#candidates[index]!;
    const entries = tasksOf(SURFACES[index]!).map((task): [SimulatedTask, TaskFloor] => {
      const cell = index * TASKS.length + TASKS.indexOf(task);
      return [
        task,
        {
          positives: this.#positives[cell]!,
          rate: this.#positives[cell]! / candidates,
          trueRate: this.#probability[cell]! / candidates,
          entropyFloor: this.#entropy[cell]! / candidates,
          logLoss: this.#loss[cell]! / candidates,
        },
      ];
    });
    return { requests: this.#requests[index]!, candidates, tasks: Object.fromEntries(entries) };
  }
}
