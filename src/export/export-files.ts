import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checksumFile } from '../data/file-checksum.js';
import type { FileEntry } from '../data/prepared.js';
import { digestOf, EXPORT_FILES, type ExportManifest } from './manifest.js';

/** Size and checksum of an export's files but the manifest; it may lack the graphs that only a server runs. */
export const exportFiles = (directory: string): Promise<readonly FileEntry[]> =>
  Promise.all(
    Object.values(EXPORT_FILES)
      .filter((path) => path !== EXPORT_FILES.manifest && existsSync(join(directory, path)))
      .map(async (path) => ({
        path,
        bytes: (await stat(join(directory, path))).size,
        sha256: await checksumFile(join(directory, path)),
      })),
  );

/** Writes `manifest.json`, which vouches for itself. */
export const writeManifest = (directory: string, manifest: ExportManifest): Promise<void> =>
  writeFile(join(directory, EXPORT_FILES.manifest), `${JSON.stringify({ ...manifest, digest: digestOf(manifest) }, undefined, 2)}\n`);
