/** What the code of this installation is: cached results are those of the code that made them. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOMS = fileURLToPath(new URL('../..', import.meta.url));
const OWN = extname(fileURLToPath(import.meta.url));

/** Rooms that shape what training and its evaluations give. */
const TRAINING = ['config', 'data', 'graph', 'kernels', 'model', 'train', 'evaluate'];
/** Rooms that shape everything a plan finds. */
const ALL = [...TRAINING, 'calibrate', 'export', 'unify'];

const filesOf = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return filesOf(path);
      return extname(entry.name) === OWN && !entry.name.includes('.test.') ? [path] : [];
    });

const hashOf = (rooms: readonly string[]): string => {
  const hash = createHash('sha256');
  for (const room of rooms) for (const file of filesOf(join(ROOMS, room))) hash.update(file.slice(ROOMS.length)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
};

/** SHA-256 of the installed code: of what trains, and of everything that a plan's results come from. */
export const codeVersion = (): { readonly training: string; readonly all: string } => ({ training: hashOf(TRAINING), all: hashOf(ALL) });
