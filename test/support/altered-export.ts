/** Exports that were made wrong: what is in them is not what it should be, and their checksums are right. */
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, EXPORT_FILES, type ExportManifest } from '../../src/export/manifest.js';

/** Copies an export, with other contents of some files. */
export const writeAlteredExport = (from: string, directory: string, contents: Readonly<Record<string, string | Buffer>>, more: Partial<ExportManifest> = {}): string => {
  cpSync(from, directory, { recursive: true });
  const path = join(directory, EXPORT_FILES.manifest);
  const manifest = { ...(JSON.parse(readFileSync(path, 'utf8')) as ExportManifest & { digest?: string }), ...more };
  delete manifest.digest;
  const files = manifest.files.map((file) => {
    const given = contents[file.path];
    if (given === undefined) return file;
    writeFileSync(join(directory, file.path), given);
    return { ...file, bytes: Buffer.byteLength(given), sha256: createHash('sha256').update(given).digest('hex') };
  });
  const changed = { ...manifest, files };
  writeFileSync(path, JSON.stringify({ ...changed, digest: digestOf(changed) }));
  return directory;
};
