/** Reading a project from disk. */
import { readFile, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { createJiti } from 'jiti';
import * as configModule from './define-config.js';
import { ConfigError, IoError, UsageError } from './errors.js';
import type { Project } from './project.js';
import { raised } from './raised.js';
import { resolveProject } from './resolve.js';

/** Config files looked for in a folder, first match wins. */
export const CONFIG_FILES: readonly string[] = ['ts', 'mts', 'js', 'mjs', 'json'].map((extension) => `onefold.config.${extension}`);

const kindOf = async (path: string): Promise<'file' | 'folder' | undefined> => {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new IoError(`cannot look at ${path}: ${message}`, { where: path, expected: 'a path this user may look at', fix: 'check its permissions', cause: error });
  }
};

const findConfig = async (path: string): Promise<string> => {
  const kind = await kindOf(path);
  if (kind === undefined) {
    throw new UsageError(`there is no config at ${path}`, {
      where: path,
      expected: 'a config file, or a folder with an onefold.config.ts',
      fix: 'check the path, or write one with `onefold init`',
    });
  }
  if (kind === 'file') {
    if (['.ts', '.mts', '.js', '.mjs', '.json'].includes(extname(path))) return path;
    throw new UsageError(`${path} is not a config file`, {
      where: path,
      expected: 'a .ts, .mts, .js, .mjs or .json file',
      fix: 'name the onefold.config.ts, or its folder',
    });
  }
  for (const name of CONFIG_FILES) {
    if ((await kindOf(join(path, name))) === 'file') return join(path, name);
  }
  throw new UsageError(`the folder ${path} has no config`, {
    where: path,
    expected: CONFIG_FILES.join(', '),
    fix: 'name another folder, or write a config with `onefold init`',
  });
};

const read = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new IoError(`cannot read ${file}: ${(error as Error).message}`, { where: file, expected: 'a file this user may read', fix: 'check its permissions', cause: error });
  }
};

const readJson = async (file: string): Promise<unknown> => {
  const text = await read(file);
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const position = /position (\d+)/.exec(message)?.[1];
    const before = text.slice(0, position === undefined ? text.length : Number(position)).split('\n');
    throw new ConfigError(file, [
      {
        path: `${basename(file)}:${before.length}:${before.at(-1)!.length + 1}`,
        message: `syntax error: ${message}`,
        expected: 'JSON',
        fix: 'correct the line named; comments and trailing commas need an onefold.config.ts',
      },
    ]);
  }
};

const readModule = async (file: string): Promise<unknown> => {
  // A file that cannot be opened is a problem of the file system, not of the config.
  await read(file);
  const jiti = createJiti(import.meta.url, {
    fsCache: false,
    moduleCache: false,
    interopDefault: false,
    // The config's own import resolves to this package wherever the project is, with or without node_modules.
    virtualModules: { 'onefold/config': configModule },
  });
  let loaded: Record<string, unknown>;
  try {
    loaded = await jiti.import(file);
  } catch (error) {
    throw raised(error, file, 'the config threw while it was loaded');
  }
  if (loaded.default !== undefined) return loaded.default;
  throw new ConfigError(file, [
    {
      path: basename(file),
      message: 'has no default export',
      expected: 'export default defineConfig({ … })',
      fix: `${Object.keys(loaded).includes('config') ? 'export `config` as the default' : 'add `export default`'} before the call of defineConfig`,
    },
  ]);
};

const dataFolder = async (data: string): Promise<string> => {
  const folder = resolve(data);
  if ((await kindOf(folder)) === 'folder') return folder;
  throw new UsageError(`the data folder ${folder} is not there`, {
    where: '--data',
    expected: 'an existing folder',
    fix: 'check the path given with --data',
  });
};

/**
 * Reads, validates and resolves a project. The config is read afresh each time; nothing is cached on disk.
 *
 * @param path - a config file, or a folder that holds an `onefold.config.ts` (or .mts, .js, .mjs, .json)
 * @param options.data - folder that the config's function form gets as `data`
 * @throws UsageError when there is no config, or it needs `--data`; ConfigError with every problem found in it; IoError
 */
export async function loadProject(path: string, options: { readonly data?: string } = {}): Promise<Project> {
  const file = await findConfig(resolve(path));
  const data = options.data === undefined ? undefined : await dataFolder(options.data);
  const config = extname(file) === '.json' ? await readJson(file) : await readModule(file);
  return resolveProject(config as configModule.ConfigInput, data === undefined ? { file } : { file, data });
}
