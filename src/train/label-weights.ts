import type { Batch } from '../data/batch.js';
import type { ModelLayout } from '../model/layout.js';

/**
 * Labels and loss weights `[candidates, tasks]` of a batch. A row's weight for a task is `task weight · row weight / sum
 * of row weights that are labelled for the task in this batch`, so that each task's loss is its weighted mean whatever
 * the batch holds; rows without a label, and surfaces without the task, weigh nothing.
 *
 * @param taskIndices index into `batch.labels` of each of the layout's tasks
 */
export const weighLabels = (batch: Batch, layout: ModelLayout, taskIndices: readonly number[]): { values: Float32Array; weights: Float32Array } => {
  const taskCount = layout.tasks.length;
  const values = new Float32Array(batch.candidateCount * taskCount);
  const weights = new Float32Array(batch.candidateCount * taskCount);
  layout.tasks.forEach((task, t) => {
    const labels = batch.labels[taskIndices[t]!]!;
    let total = 0;
    let row = 0;
    layout.surfaceIndices.forEach((surface, position) => {
      const end = row + batch.surfaceCandidates[surface]!;
      const hasTask = task.surfaces.includes(layout.surfaces[position]!);
      for (; row < end; row += 1) {
        const label = labels[row]!;
        if (!hasTask || Number.isNaN(label)) continue;
        const weight = batch.weights[row]!;
        values[row * taskCount + t] = label;
        weights[row * taskCount + t] = weight;
        total += weight;
      }
    });
    const factor = total > 0 ? task.weight / total : 0;
    for (let i = t; i < weights.length; i += taskCount) weights[i] = weights[i]! * factor;
  });
  return { values, weights };
};
