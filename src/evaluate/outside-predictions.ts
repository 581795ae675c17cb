import type { Dataset } from '../data/dataset.js';
import type { PreparedManifest } from '../data/prepared.js';
import type { Predictions } from './predictions.js';
import { copySelected, newRowNumbers, selectRows, unscoredRows } from './unscored-rows.js';

/**
 * Streams an outside model's predictions of some surfaces' rows, a shard at a time, in the order of the dataset: what
 * `data.outside` names, NaN where it has none. They are probabilities already: nothing is corrected.
 *
 * @param dataset with the labels of all tasks of the manifest, in its order
 */
export async function* outsidePredictions(dataset: Pick<Dataset, 'iterateShards'>, manifest: PreparedManifest, surfaces: readonly string[]): AsyncGenerator<Predictions, void, undefined> {
  const numbers = newRowNumbers();
  const tasks = new Set(manifest.tasks.map(({ name }) => name));
  const wanted = new Set(surfaces.map((surface) => manifest.encoders.surfaces.indexOf(surface)));
  for await (const { shard } of dataset.iterateShards()) {
    const selected = selectRows(shard, wanted);
    const rows = unscoredRows(shard, selected, manifest, tasks, numbers);
    for (const { task, probabilities } of rows.tasks) {
      const outside = shard.outsides.get(task);
      if (outside !== undefined) copySelected(shard, selected, outside, probabilities);
    }
    yield rows;
  }
}
