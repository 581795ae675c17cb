import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ArtifactError } from '../config/errors.js';
import type { ExportManifest } from './manifest.js';

/** Held-out metrics of a surface, from the evaluation that `onefold evaluate` or `compare` left beside the run; none without it. */
export const storedMetrics = async (file: string, surface: string): Promise<ExportManifest['metrics']> => {
  if (!existsSync(file)) return {};
  try {
    const { tasks } = JSON.parse(await readFile(file, 'utf8')) as { readonly tasks: readonly { readonly task: string; readonly surfaces: readonly (ExportManifest['metrics'][string] & { readonly name: string })[] }[] };
    return Object.fromEntries(
      tasks.flatMap(({ task, surfaces }) => surfaces.filter(({ name }) => name === surface).map(({ rows, positives, metrics }) => [task, { rows, positives, metrics }])),
    );
  } catch (cause) {
    throw new ArtifactError(`${file} is damaged`, { where: file, expected: 'what `onefold evaluate` wrote', fix: 'evaluate the model again', cause });
  }
};
