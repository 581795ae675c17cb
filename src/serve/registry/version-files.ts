/** Which files make up a version. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';
import { EXPORT_FILES, type ExportManifest } from '../../export/manifest.js';

/** A file that a manifest vouches for. */
export type VersionFile = Pick<ExportManifest['files'][number], 'path' | 'bytes'>;

/** The files that a manifest vouches for. */
export const filesOf = (manifest: string, where: string): readonly VersionFile[] => {
  try {
    return (JSON.parse(manifest) as Pick<ExportManifest, 'files'>).files.map(({ path, bytes }) => ({ path, bytes }));
  } catch (cause) {
    throw new ArtifactError(`${where} is damaged`, { where, expected: 'the manifest of an export', fix: 'publish the export again under another --name', cause });
  }
};

/** What a manifest says it is; undefined where it is damaged. */
export const digestIn = (manifest: string): string | undefined => {
  try {
    return (JSON.parse(manifest) as { readonly digest?: string } | null)?.digest;
  } catch {
    return undefined;
  }
};

/** An export's manifest as it is written, and the files beside it. Whatever else its folder holds is no part of it. */
export const readVersionFiles = async (directory: string): Promise<{ readonly manifest: string; readonly files: readonly VersionFile[] }> => {
  const path = join(directory, EXPORT_FILES.manifest);
  const manifest = await readFile(path, 'utf8').catch((error: unknown) => {
    throw explainIoFailure(error, path);
  });
  return { manifest, files: filesOf(manifest, path) };
};

export const otherContents = (place: string): ArtifactError =>
  new ArtifactError(`${place} is there already, and is another export`, { where: place, expected: 'versions never change', fix: 'publish it under another --name' });
