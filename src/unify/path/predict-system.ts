import { calibratePredictions } from '../../calibrate/calibrate-predictions.js';
import { openDataset } from '../../data/dataset.js';
import type { Split } from '../../data/prepared.js';
import { concatPredictions } from '../../evaluate/concat-predictions.js';
import { outsidePredictions } from '../../evaluate/outside-predictions.js';
import type { Predictions } from '../../evaluate/predictions.js';
import { onSurfaces, overlay } from '../../evaluate/select-predictions.js';
import { streamRuns } from '../score-model.js';
import type { PathContext } from './context.js';
import { surfacesOf, systemKey, type System } from './system.js';

const ofOutside = async ({ manifest, prepared }: PathContext, split: Split, surfaces: readonly string[]): Promise<Predictions> => {
  const dataset = await openDataset(prepared, manifest, split, { tasks: manifest.tasks.map(({ name }) => name), batchCandidates: 8192 });
  try {
    const chunks: Predictions[] = [];
    for await (const chunk of outsidePredictions(dataset, manifest, surfaces)) chunks.push(chunk);
    return concatPredictions(chunks);
  } finally {
    dataset.close();
  }
};

const ofRuns = async ({ project, manifest, prepared, onWork }: PathContext, { name, runs }: System, split: Split, surfaces: readonly string[]): Promise<Predictions> => {
  const chunks: Predictions[] = [];
  const asked = runs.filter(({ run }) => run.surfaces.some((surface) => surfaces.includes(surface)));
  for await (const chunk of streamRuns(asked, { project, manifest, directory: prepared, split, onProgress: () => onWork(`score ${name}`) })) chunks.push(chunk);
  return concatPredictions(chunks);
};

/**
 * A system's predictions of a split on some of its surfaces, in the order of the dataset, calibrated where it is. Training-only
 * features are as logged: the labels came about at these values.
 */
export const predictSystem = async (context: PathContext, system: System, split: Split, surfaces: readonly string[] = surfacesOf(system)): Promise<Predictions> => {
  const wanted = context.project.surfaces.flatMap(({ name }) => (surfaces.includes(name) ? [name] : []));
  const outside = wanted.filter((surface) => system.outside.includes(surface));
  const predictions = await context.memo.predictions('predictions', [context.manifest.key, split, systemKey(system, wanted)], async () => {
    if (outside.length === wanted.length) return ofOutside(context, split, wanted);
    const scored = onSurfaces(await ofRuns(context, system, split, wanted), wanted);
    return outside.length === 0 ? scored : overlay(await ofOutside(context, split, wanted), scored);
  });
  return system.calibration === undefined ? predictions : calibratePredictions(system.calibration, predictions);
};
