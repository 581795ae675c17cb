import { Command } from 'commander';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { IoError, UsageError } from '../config/errors.js';
import { loadProject } from '../config/load.js';
import { isRemote } from '../data/source-files.js';
import { DESCRIPTIONS } from './descriptions.js';
import { configText } from './init-config-text.js';
import { guessSurface, type SurfaceGuess } from './init-guess-surface.js';
import { mergeGuesses, type MergedGuesses } from './init-merge-guesses.js';
import { createOutput } from './output.js';

interface InitCommandOptions {
  readonly surface: readonly string[];
  readonly label: readonly string[];
  readonly request?: string;
  readonly user?: string;
  readonly time?: string;
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** `NAME=FILES` options: files per surface, relative to the folder of the config. */
const parseSurfaces = (options: readonly string[], directory: string): ReadonlyMap<string, string | string[]> => {
  const surfaces = new Map<string, string | string[]>();
  for (const option of options) {
    const [, name, files] = /^([A-Za-z][A-Za-z0-9_-]*)=(.+)$/.exec(option) ?? [];
    if (name === undefined || files === undefined) {
      throw new UsageError(`--surface ${option} does not name a surface and its files`, {
        where: '--surface',
        expected: 'NAME=FILES; a name is a letter, then letters, digits, "_" or "-"',
        fix: "write it as --surface home_feed='logs/home/*.parquet'",
      });
    }
    // The shell's folder is not the config's.
    const path = isRemote(files) ? files : relative(directory, resolve(files)).split(sep).join('/');
    const before = surfaces.get(name);
    surfaces.set(name, before === undefined ? path : [before, path].flat());
  }
  if (surfaces.size > 0) return surfaces;
  throw new UsageError('no surface is named', {
    where: '--surface',
    expected: 'at least one --surface NAME=FILES',
    fix: "add one, e.g. --surface home_feed='logs/home/*.parquet'",
  });
};

const targetFile = async (folder: string, out: string, force: boolean): Promise<string> => {
  const file = resolve(folder, out);
  if (!['.ts', '.mts', '.js', '.mjs'].includes(extname(file))) {
    throw new UsageError(`${out} is not a config file`, { where: '--out', expected: 'a .ts, .mts, .js or .mjs file', fix: 'write --out onefold.config.ts' });
  }
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists && !force) {
    throw new UsageError(`${file} exists`, { where: file, expected: 'a new file', fix: 'name another with --out, or replace it with --force' });
  }
  return file;
};

/** Writes aside, proves that it loads, then renames: a config that cannot be loaded is never left behind. */
const writeConfig = async (file: string, text: string): Promise<void> => {
  const aside = join(dirname(file), `.${basename(file, extname(file))}.${process.pid}${extname(file)}`);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(aside, text);
    await loadProject(aside);
    await rename(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new IoError(`cannot write ${file}: ${(error as Error).message}`, { where: file, fix: 'choose another folder, or free space', cause: error });
  } finally {
    // Where even this fails, nothing was written, and the error on its way says why.
    await rm(aside, { force: true }).catch(() => undefined);
  }
};

const summary = (surfaces: readonly SurfaceGuess[], { features, tasks, leftOut }: MergedGuesses) => ({
  surfaces: Object.fromEntries(
    surfaces.map(({ name, source, keys, viewType, rows }) => [
      name,
      { files: source.files, layout: source.layout ?? 'candidate', rowsLookedAt: rows, keys: keys.keys, viewType: viewType ?? null },
    ]),
  ),
  features: features.map(({ name, side, feature, columns }) => ({ name, kind: feature.kind, side, surfaces: [...columns.keys()] })),
  tasks: tasks.map(({ name, labels }) => ({ name, surfaces: [...labels.keys()] })),
  leftOut,
});

const describe = (file: string, surfaces: readonly SurfaceGuess[], { features, tasks, leftOut }: MergedGuesses): string => {
  const shared = features.filter((feature) => feature.columns.size > 1).length;
  return [
    `wrote ${file}`,
    `  surfaces: ${surfaces.map((surface) => surface.name).join(', ')}`,
    `  features: ${features.length}${surfaces.length > 1 ? `, ${shared} on several surfaces` : ''}`,
    `  tasks: ${tasks.map((task) => task.name).join(', ')}`,
    ...(leftOut.length === 0 ? [] : [`  left out: ${leftOut.flatMap(({ columns }) => columns).join(', ')} (the file says why)`]),
    'Read it through, then run: onefold prepare',
  ].join('\n');
};

const EXAMPLES = `
Examples:
  onefold init --surface home_feed='logs/home/*.parquet' --surface search='logs/search/*.parquet'
  onefold init shop --surface feed=feed.csv.gz --label clicked --user visitor
  onefold init --surface feed=feed.jsonl --label 'read_time > 30' --force --json

FILES may be Parquet, CSV or JSONL (also .gz and .zst), globs (in quotes) and URLs; name a surface again to add files to it.
Keys, labels, kinds and sides are guessed from the first 50 000 rows; --request, --user, --time and --label overrule them.
`;

/** `onefold init`: writes a commented starting config from the columns of the surfaces' files. */
export const initCommand = (): Command =>
  new Command('init')
    .description(DESCRIPTIONS.init)
    .argument('[folder]', 'folder of the project', '.')
    .option('--surface <NAME=FILES>', 'a surface and its log files; repeat it for each surface', collect, [])
    .option('--label <column>', 'a label: a 0/1 column or a DuckDB expression; repeatable', collect, [])
    .option('--request <column>', 'what identifies a request: a column or a DuckDB expression')
    .option('--user <column>', 'what identifies the user')
    .option('--time <column>', 'when the request happened')
    .option('--out <file>', 'file to write, in the folder', 'onefold.config.ts')
    .option('--force', 'replace the file if it exists')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (folder: string, options: InitCommandOptions) => {
      const output = createOutput(options);
      const file = await targetFile(resolve(folder), options.out, options.force === true);
      const directory = dirname(file);
      const { request, user, time } = options;
      const given = {
        labels: options.label,
        ...(request === undefined ? {} : { request }),
        ...(user === undefined ? {} : { user }),
        ...(time === undefined ? {} : { time }),
      };
      const surfaces: SurfaceGuess[] = [];
      for (const [name, files] of parseSurfaces(options.surface, directory)) surfaces.push(await guessSurface(name, files, directory, given));
      const merged = mergeGuesses(surfaces);
      await writeConfig(file, configText(basename(directory), surfaces, merged));
      output.text(describe(file, surfaces, merged));
      output.result({ file, ...summary(surfaces, merged) });
    });
