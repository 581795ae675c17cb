/** What deploy/ holds: built, started, and read by the programs that will read it, as far as they run without a cluster. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveCommand } from '../src/cli/serve.js';
import { publish } from '../src/serve/registry/publish.js';
import { openRegistry } from '../src/serve/registry/registry.js';
import { contextFiles, contextFilter, execForm, readCopy, readStages } from './support/containerfile.js';
import { until } from './support/running-server.js';
import { createServedShop, type ServedShop } from './support/served-shop.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const path = (...parts: readonly string[]): string => join(ROOT, ...parts);
const read = (...parts: readonly string[]): string => readFileSync(path(...parts), 'utf8');
const CONTAINERFILE = path('deploy', 'Containerfile');
const UNIT = path('deploy', 'systemd', 'onefold.service');
const PYTHON = process.env['ONEFOLD_PYTHON'] ?? 'python3';
const MANIFESTS = ['kubernetes', 'kserve'].flatMap((folder) => readdirSync(path('deploy', folder)).map((file) => path('deploy', folder, file)));

const run = (command: string, ...args: readonly string[]): { readonly exit: number | null; readonly stdout: string; readonly stderr: string } => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  // Both are null where there is no such program.
  return { exit: status, stdout: (stdout as string | null) ?? '', stderr: (stderr as string | null) ?? '' };
};

const notTested = (what: string, why: string): void => {
  console.warn(`NOT TESTED: ${what}, because ${why}`);
};

const HADOLINT = PYTHON.includes('/') ? join(dirname(PYTHON), 'hadolint') : 'hadolint';
const canLint = run(HADOLINT, '--version').exit === 0;
if (!canLint) notTested('deploy/Containerfile by a linter', 'there is no hadolint; the ONEFOLD_PYTHON with test/python/requirements.txt has it');
const canVerify = run('systemd-analyze', '--version').exit === 0;
if (!canVerify) notTested('deploy/systemd/onefold.service by systemd', 'there is no systemd-analyze');

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'onefold-deploy-'));
  // Servers run here as another user.
  chmodSync(scratch, 0o755);
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** Writes a file of deploy/ with something wrong in it. */
const spoilt = (file: string, from: string, to: string): string => {
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  const copy = join(scratch, file.slice(file.lastIndexOf('/') + 1));
  writeFileSync(copy, text.replace(from, to));
  return copy;
};

/** Arguments after `serve` in a command line of words. */
const afterServe = (words: readonly string[]): readonly string[] => words.slice(words.indexOf('serve') + 1);

/** Arguments of every `serve` that deploy/ starts, by file. */
const servings = (): readonly (readonly [string, readonly string[]])[] => {
  const command = readStages(CONTAINERFILE).at(-1)!.instructions.find(({ name }) => name === 'CMD')!;
  const unit = /^ExecStart=(.*)$/m.exec(readFileSync(UNIT, 'utf8'))![1]!;
  const manifests = MANIFESTS.flatMap((file) => {
    const args = /^ *args:\n((?: *(?:- |#).*\n)*)/m.exec(readFileSync(file, 'utf8'))?.[1];
    return args === undefined ? [] : [[file, afterServe([...args.matchAll(/^ *- (.*)$/gm)].map(([, word]) => word!))] as const];
  });
  return [[CONTAINERFILE, afterServe(execForm(command.text))], [UNIT, afterServe(unit.split(' ').filter((word) => word !== '$ONEFOLD_OPTIONS'))], ...manifests];
};

describe('command lines of deploy/', () => {
  it('are ones that `onefold serve` takes', () => {
    const found = servings();
    expect(found.map(([file]) => file.slice(file.lastIndexOf('/') + 1)).sort()).toEqual(['Containerfile', 'custom-predictor.yaml', 'deployment.yaml', 'onefold.service', 'serving-runtime.yaml']);
    for (const [file, args] of found) {
      const command = serveCommand().exitOverride();
      const { operands, unknown } = command.parseOptions([...args]);
      expect({ file, unknown, sources: operands.length + (command.opts<{ registry?: string }>().registry === undefined ? 0 : 1) }).toEqual({ file, unknown: [], sources: 1 });
    }
  });

  it('leave requests the time to end that the server gives them', () => {
    for (const [file, patience] of [[UNIT, /^TimeoutStopSec=(\d+)$/m], [path('deploy/kubernetes/deployment.yaml'), /terminationGracePeriodSeconds: (\d+)/], [path('deploy/kserve/custom-predictor.yaml'), /terminationGracePeriodSeconds: (\d+)/]] as const) {
      const text = readFileSync(file, 'utf8');
      const [drain, sleep] = [/--drain-seconds[= ](\d+)/, /\[sleep, "(\d+)"\]/].map((pattern) => Number(pattern.exec(text)?.[1] ?? 0));
      expect(drain).toBeGreaterThan(0);
      expect(Number(patience.exec(text)![1])).toBeGreaterThan(drain! + sleep!);
    }
  });
});

describe('the container image', () => {
  const [building, final] = readStages(CONTAINERFILE);
  const isSeen = contextFilter(path('.dockerignore'));

  it.skipIf(!canLint)('passes a linter, which refuses root', () => {
    expect(run(HADOLINT, CONTAINERFILE)).toEqual({ exit: 0, stdout: '', stderr: '' });
    expect(run(HADOLINT, spoilt(CONTAINERFILE, 'USER 1000:1000', 'USER root')).stdout).toContain('DL3002');
  });

  it('is built of a context with everything that it needs, and nothing else', () => {
    const context = join(scratch, 'context');
    const copied = building!.instructions.filter(({ name }) => name === 'COPY').map(({ text }) => readCopy(text));
    for (const { sources, target } of copied) {
      for (const file of sources.flatMap((source) => contextFiles(ROOT, source, isSeen))) {
        expect(target === './' || file.startsWith(target.replace('./', ''))).toBe(true);
        mkdirSync(join(context, dirname(file)), { recursive: true });
        cpSync(path(file), join(context, file));
      }
    }
    for (const file of ['.git/config', 'node_modules/zod/package.json', '.env', 'native/build/onefold_kernels.node', 'src/cli/init.test.ts', 'exports/manifest.json']) expect({ file, isSeen: isSeen(file) }).toEqual({ file, isSeen: false });

    const commands = building!.instructions.filter(({ name }) => name === 'RUN').map(({ text }) => text);
    expect(commands).toEqual(expect.arrayContaining(['npm ci --ignore-scripts', 'npm run build:native', 'npm run build']));
    // The lock fits the package, for all dependencies and for those that stay.
    for (const omitted of [[], ['--omit=dev']]) expect(spawnSync('npm', ['ci', '--ignore-scripts', '--dry-run', '--offline', ...omitted], { cwd: context }).status).toBe(0);
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    expect(scripts).toHaveProperty('build:native');
    expect(scripts['build']).toMatch(/tsc -p tsconfig\.build\.json$/);
    expect(readdirSync(join(context, 'native')).sort()).toEqual(expect.arrayContaining(['build.mjs', 'src']));
    symlinkSync(path('node_modules'), join(context, 'node_modules'));
    const compiled = spawnSync(process.execPath, [path('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--listFilesOnly'], { cwd: context, encoding: 'utf8' });
    expect(compiled.status, compiled.stdout).toBe(0);
    const own = compiled.stdout.split('\n').filter((file) => file.startsWith(join(context, 'src')));
    const ours = contextFiles(ROOT, 'src', (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
    expect(own.map((file) => file.slice(context.length + 1)).sort()).toEqual([...ours].sort());
  });

  describe('started', () => {
    let shop: ServedShop;
    beforeAll(async () => {
      shop = await createServedShop();
    });
    afterAll(() => shop.remove());

    it('serves a registry that it cannot write, as no root, tells whether it lives, and ends on SIGTERM', async () => {
      const app = join(scratch, 'app');
      const registry = join(scratch, 'registry');
      const cache = join(scratch, 'cache');
      await publish(await openRegistry(registry, {}), { exports: Object.values(shop.exports).map(({ directory }) => directory), version: undefined, promote: true });
      for (const { text } of final!.instructions.filter(({ name }) => name === 'COPY')) {
        const { from, sources, target } = readCopy(text);
        expect(from).toBe(building!.name);
        const built = sources[0]!.replace(/^\/app\//, '');
        mkdirSync(dirname(join(app, target)), { recursive: true });
        if (built === 'node_modules') symlinkSync(path(built), join(app, target));
        else if (existsSync(path(built))) cpSync(path(built), target === './' ? join(app, built) : join(app, target), { recursive: true });
        // Without a C++ compiler there is none.
        else expect(built).toBe('native/build');
      }
      mkdirSync(cache);
      const isRoot = process.getuid?.() === 0;
      if (isRoot) chownSync(cache, 1000, 1000);
      const word = (name: string): string => final!.instructions.find((instruction) => instruction.name === name)!.text;
      const entry = [...execForm(word('ENTRYPOINT')), ...execForm(word('CMD'))].map((each) => each.replace(/^\/app/, app).replace(/^\/registry$/, registry).replace('0.0.0.0', '127.0.0.1'));
      expect(entry[0]).toBe('node');
      const server = spawn(process.execPath, [...entry.slice(1), '--port', '0', '--workers', '1', '--json'], {
        cwd: app,
        env: { PATH: process.env['PATH'], XDG_CACHE_HOME: cache },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(isRoot ? { uid: 1000, gid: 1000 } : {}),
      });
      const text = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr'] as const) {
        server[stream].setEncoding('utf8').on('data', (part: string) => {
          text[stream] += part;
        });
      }
      const exited = once(server, 'exit') as Promise<[number | null]>;
      try {
        await until('the server serves', () => text.stdout.includes('\n') || server.exitCode !== null, 20_000);
        expect(server.exitCode, text.stderr).toBeNull();
        const { http } = JSON.parse(text.stdout) as { readonly http: string };
        expect((await fetch(`${http}/readyz`)).status).toBe(200);
        const [, ...check] = execForm(word('HEALTHCHECK')).map((each) => each.replace('http://127.0.0.1:8080', http));
        expect(run(process.execPath, ...check).exit).toBe(0);
        server.kill('SIGTERM');
        expect((await exited)[0], text.stderr).toBe(0);
        expect(run(process.execPath, ...check).exit).toBe(1);
        // No identifier of ONNX Runtime's beside it.
        expect(readdirSync(cache)).toEqual(['onefold']);
      } finally {
        server.kill('SIGKILL');
      }
    });
  });
});

describe.skipIf(!canVerify)('the systemd unit', () => {
  /** With paths that are there, and without a folder where unit files of the machine are. */
  const here = (file: string): string => {
    const text = readFileSync(file, 'utf8').replace('/usr/bin/node', process.execPath);
    const unit = join(scratch, 'onefold.service');
    writeFileSync(unit, text);
    return unit;
  };

  it('is one that systemd reads without a word, and a wrong one is not', () => {
    expect(run('systemd-analyze', 'verify', '--man=no', here(UNIT))).toEqual({ exit: 0, stdout: '', stderr: '' });
    expect(run('systemd-analyze', 'verify', '--man=no', here(spoilt(UNIT, 'ProtectSystem=strict', 'ProtectSystem=very'))).stderr).toContain('very');
  });

  it('gives the server little that it does not need', () => {
    // 0 to 10 exposed, here times ten; what is left is the network and V8's memory.
    const exposure = (file: string): number | null => run('systemd-analyze', 'security', '--offline=yes', '--threshold=20', here(file)).exit;
    expect(exposure(UNIT)).toBe(0);
    expect(exposure(spoilt(UNIT, 'CapabilityBoundingSet=\n', ''))).not.toBe(0);
  });
});
