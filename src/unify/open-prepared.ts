import { ArtifactError } from '../config/errors.js';
import type { Project } from '../config/project.js';
import { loadPrepared } from '../data/load-prepared.js';
import { preparedDirectory } from '../data/prepared-directory.js';
import { preparedKey } from '../data/prepared-key.js';
import type { PreparedManifest } from '../data/prepared.js';

/** A project's prepared dataset, made with the config as it is now. */
export interface OpenPrepared {
  /** Absolute folder. */
  readonly directory: string;
  readonly manifest: PreparedManifest;
}

/**
 * Opens the prepared dataset of a project. Sources are not read again: that a file changed is noticed by `onefold prepare`.
 *
 * @throws ArtifactError when there is none, when it is torn, or when the config has changed since
 */
export const openPrepared = async (project: Project): Promise<OpenPrepared> => {
  const directory = preparedDirectory(project.workspace);
  const manifest = await loadPrepared(directory);
  if (preparedKey(project, manifest.sources) !== manifest.key) {
    throw new ArtifactError('the config has changed since the dataset was prepared', {
      where: directory,
      expected: `a dataset of the surfaces, features, tasks and split in ${project.file}`,
      fix: 'run `onefold prepare` again with this config',
    });
  }
  return { directory, manifest };
};
