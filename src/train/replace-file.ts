import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Writes a text file aside and renames it into place: whenever the process dies, there is the old one or the new one, whole. */
export const replaceFile = (path: string, text: string): void => {
  const aside = `${path}.writing`;
  try {
    writeFileSync(aside, text);
    renameSync(aside, path);
  } catch (error) {
    try {
      rmSync(aside, { force: true });
    } catch {
      // The first failure is the one to report.
    }
    throw error;
  }
};
