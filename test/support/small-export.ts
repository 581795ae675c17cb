/** Exports that are whole but score nothing: what a registry keeps, in milliseconds instead of a training. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportFiles, writeManifest } from '../../src/export/export-files.js';
import { EXPORT_FILES, type ExportManifest } from '../../src/export/manifest.js';

/**
 * Writes an export of a surface.
 *
 * @param contents of its tables: exports of other contents are other exports
 */
export const writeSmallExport = async (directory: string, surface: string, contents: string | Buffer): Promise<string> => {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, EXPORT_FILES.graph), 'a graph');
  writeFileSync(join(directory, EXPORT_FILES.tables), contents);
  writeFileSync(join(directory, EXPORT_FILES.encoders), JSON.stringify({ tables: [], columns: [], viewTypes: [], surfaces: [surface] }));
  const manifest = { version: 2, project: 'small', model: 'full', surface, tasks: ['click'], files: await exportFiles(directory) };
  await writeManifest(directory, manifest as unknown as ExportManifest);
  return directory;
};
