/** Folders that are filled aside, and get their name once they are whole. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What has not been written to for this long is of a process that was killed. */
const ABANDONED_MS = 3_600_000;

/** No version's name begins so. */
const START = '.partial-';

/** An empty folder beside what it will be called. */
export const createPartial = async (parent: string): Promise<string> => {
  const folder = join(parent, `${START}${randomUUID()}`);
  // Not `mkdtemp`: its folders are for their owner's eyes alone, and a server may be another user.
  await mkdir(folder, { recursive: true });
  return folder;
};

/** Removes what killed processes left. Others that are being filled stay. */
export const removeAbandoned = async (parent: string): Promise<void> => {
  const partial = (await readdir(parent).catch(() => [])).filter((name) => name.startsWith(START)).map((name) => join(parent, name));
  for (const folder of partial) {
    const files = (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
    const times = await Promise.all([folder, ...files].map((path) => stat(path).then(({ mtimeMs }) => mtimeMs, () => 0)));
    if (Date.now() - Math.max(...times) > ABANDONED_MS) await rm(folder, { recursive: true, force: true });
  }
};
