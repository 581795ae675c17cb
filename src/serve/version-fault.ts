/** What is wrong with a version, and what is not its fault. */
import { ArtifactError, DataError, ParityError } from '../config/errors.js';
import type { LoadedVersion } from './engine/loaded-version.js';
import type { VersionFailedError } from './engine/version-failure.js';

/** A version that did not pass. */
export class BrokenVersionError extends Error {
  readonly version: LoadedVersion;

  constructor(version: LoadedVersion, cause: unknown) {
    super(`${version.key} is broken`, { cause });
    this.version = version;
  }
}

/** Errors that are about an export itself. */
export const isFault = (error: unknown): boolean => error instanceof ArtifactError || error instanceof ParityError || error instanceof DataError;

/** What is said of a version that threads could not open, or not run, however often they tried. */
export const doesNotRun = ({ key, directory }: LoadedVersion, cause: VersionFailedError): ArtifactError =>
  new ArtifactError(`${key} cannot be opened, or not be run: ${cause.message}`, {
    where: cause.where ?? directory,
    expected: 'an export that this machine can run',
    fix: 'export the model again, or promote the version again if memory was short',
    cause,
  });

/** What is said of a version that serves in its threads alone: it does not open any more, and no other of its surface passes. */
export const mustStay = (surface: string, version: string): ArtifactError =>
  new ArtifactError(`${surface}/${version} serves, but cannot be opened again, and no other version of "${surface}" passes: no new version of any surface can be loaded`, {
    where: `${surface}/${version}`,
    expected: 'a version that can be opened',
    fix: `publish a version of "${surface}" that passes`,
  });
