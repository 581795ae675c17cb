import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, IoError, UsageError, type OnefoldError } from './errors.js';
import { loadProject } from './load.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onefold-load-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const body = (name = "'shop'") => `{
  name: ${name},
  surfaces: { home: { source: { files: 'home.csv' } } },
  features: { ad: { kind: 'categorical', side: 'candidate' } },
  tasks: { click: { label: 'clicked' } },
}`;
const write = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};
const failure = async (path: string, options?: { data?: string }): Promise<OnefoldError> => {
  try {
    await loadProject(path, options);
  } catch (error) {
    return error as OnefoldError;
  }
  throw new Error('it loaded');
};

describe('loads', () => {
  test.each([
    ['ts', `import { defineConfig, type ProjectConfig } from 'onefold/config';\nconst c: ProjectConfig = ${body()};\nexport default defineConfig(c);`],
    ['mts', `import { defineConfig } from 'onefold/config';\nawait Promise.resolve();\nexport default defineConfig(${body()});`],
    ['js', `import { defineConfig } from 'onefold/config';\nexport default defineConfig(${body()});`],
    ['mjs', `export default ${body()};`],
    ['json', '{"name":"shop","surfaces":{"home":{"source":{"files":"home.csv"}}},"features":{"ad":{"kind":"categorical","side":"candidate"}},"tasks":{"click":{"label":"clicked"}}}'],
  ])('onefold.config.%s from its folder, which has no node_modules', async (extension, text) => {
    const file = await write(`onefold.config.${extension}`, text);
    const project = await loadProject(folder);
    expect(project).toMatchObject({ name: 'shop', file, directory: folder, workspace: join(folder, '.onefold') });
    expect((await loadProject(file)).name).toBe('shop');
    expect(await readdir(folder)).toEqual([`onefold.config.${extension}`]);
  });

  test('with imports of its own', async () => {
    await write('names.ts', "import { defineConfig } from 'onefold/config';\nexport const name: string = `shop ${typeof defineConfig}`;");
    await write('onefold.config.ts', `import { name } from './names.ts';\nexport default ${body('name')};`);
    expect((await loadProject(folder)).name).toBe('shop function');
  });

  test('afresh each time', async () => {
    await write('names.ts', "export const name = 'one';");
    await write('onefold.config.ts', `import { name } from './names.ts';\nexport default ${body('name')};`);
    expect((await loadProject(folder)).name).toBe('one');
    await write('names.ts', "export const name = 'two';");
    expect((await loadProject(folder)).name).toBe('two');
  });

  test('the function form with the data folder', async () => {
    await write('onefold.config.ts', `import { defineConfig } from 'onefold/config';\nexport default defineConfig(({ data }) => (${body('data')}));`);
    expect((await loadProject(folder, { data: folder })).name).toBe(folder);
  });
});

describe('refuses', () => {
  test('a path that is not there', async () => {
    const error = await failure(join(folder, 'nope'));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.fix).toContain('onefold init');
  });

  test('a folder without a config, and a file of another kind', async () => {
    expect((await failure(folder)).expected).toContain('onefold.config.ts');
    expect((await failure(await write('config.yaml', 'a: 1'))).message).toContain('is not a config file');
  });

  test('a torn TypeScript file, with its line', async () => {
    const error = (await failure(await write('onefold.config.ts', `export default {\n  name: 'shop',\n  surfaces: {`))) as ConfigError;
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.issues[0]!.path).toMatch(/^onefold\.config\.ts:3:\d+$/);
    expect(error.issues[0]!.message).toContain('syntax error');
  });

  test('a torn JSON file, with its line', async () => {
    const error = (await failure(await write('onefold.config.json', '{\n  "name": "shop",\n}'))) as ConfigError;
    expect(error.issues[0]!.path).toBe('onefold.config.json:3:1');
    expect(error.issues[0]!.fix).toContain('trailing commas');
    const torn = (await failure(await write('onefold.config.json', '{\n  "name": "sh'))) as ConfigError;
    expect(torn.issues[0]!.path).toMatch(/^onefold\.config\.json:2:/);
  });

  test('a syntax error in a file the config imports, by that file', async () => {
    await write('names.ts', 'export const name = ;');
    const error = await failure(await write('onefold.config.ts', `import { name } from './names.ts';\nexport default ${body('name')};`));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('names.ts:1:');
  });

  test('no default export', async () => {
    const error = (await failure(await write('onefold.config.ts', `export const config = ${body()};`))) as ConfigError;
    expect(error.issues[0]).toMatchObject({ path: 'onefold.config.ts', message: 'has no default export' });
    expect(error.issues[0]!.fix).toContain('export `config` as the default');
    expect((await failure(await write('onefold.config.ts', ''))).message).toContain('has no default export');
  });

  test('a config that throws, with its line', async () => {
    const error = (await failure(await write('onefold.config.ts', "const a: number = 1;\nthrow new Error(`boom ${a}`);"))) as ConfigError;
    expect(error.issues[0]).toMatchObject({ path: expect.stringMatching(/^onefold\.config\.ts:2/), message: expect.stringContaining('boom 1') });
  });

  test('a config function that throws, with its line', async () => {
    const error = (await failure(await write('onefold.config.ts', "export default () => {\n  throw new Error('boom');\n};"))) as ConfigError;
    expect(error.issues[0]).toMatchObject({
      path: expect.stringMatching(/^onefold\.config\.ts:2/),
      message: 'the config function threw: boom',
    });
  });

  test('an import that is not there', async () => {
    const error = (await failure(await write('onefold.config.ts', "import { x } from 'not-installed';\nexport default x;"))) as ConfigError;
    expect(error.issues[0]!.fix).toContain('install "not-installed"');
  });

  test('a function form without its data folder, or with one that is not there', async () => {
    const file = await write('onefold.config.ts', `export default ({ data }) => (${body('data')});`);
    const without = await failure(file);
    expect(without).toBeInstanceOf(UsageError);
    expect(without.fix).toContain('--data FOLDER');
    const missing = await failure(file, { data: join(folder, 'nope') });
    expect(missing).toBeInstanceOf(UsageError);
    expect(missing.where).toBe('--data');
  });

  test('an invalid config, with every problem', async () => {
    const error = (await failure(await write('onefold.config.ts', 'export default { name: 1, surfaces: {}, featurs: {} };'))) as ConfigError;
    expect(error.issues.map((issue) => issue.path)).toEqual(['name', 'features', 'tasks', 'featurs', 'surfaces']);
  });

  test('a folder in the place of the config', async () => {
    await mkdir(join(folder, 'onefold.config.ts'));
    expect(await failure(folder)).toBeInstanceOf(UsageError);
  });

  if (process.getuid?.() === 0) console.warn('NOT TESTED: a config file without read permission, because permissions do not stop root');
  test.skipIf(process.getuid?.() === 0)('a file without read permission', async () => {
    const file = await write('onefold.config.ts', `export default ${body()};`);
    await chmod(file, 0o000);
    expect(await failure(file)).toBeInstanceOf(IoError);
  });
});
