/**
 * Builds the native kernel with the C++ compiler that is there, into native/build/.
 *
 *   node native/build.mjs               build; fails when it cannot
 *   node native/build.mjs --if-needed   only when missing or older than its sources; without a compiler, one line and no failure
 *   node native/build.mjs --sanitize DIR   with the address and undefined-behaviour sanitizers, into DIR
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(HERE, 'src');
const ADDON = 'onefold_kernels.node';
const COST = 'Training and scoring work without it; embedding lookups and updates are then about 20 to 40 times slower.';

/** Instruction sets that the hot loops are compiled for, besides the processor family's baseline. */
const LEVELS = {
  x64: { avx2: ['-mavx2', '-mfma', '-mf16c'], avx512: ['-mavx2', '-mfma', '-mf16c', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl'] },
  arm64: {},
};

class BuildError extends Error {}

const runs = ([command, ...args]) => spawnSync(command, [...args, '--version'], { stdio: 'ignore' }).status === 0;

const findCompiler = () => {
  // $CXX may hold arguments, as in "ccache g++".
  const named = process.env.CXX?.trim().split(/\s+/);
  const candidates = named === undefined || named[0] === '' ? [['c++'], ['g++'], ['clang++']] : [named];
  const found = candidates.find(runs);
  if (found === undefined) throw new BuildError(`no C++ compiler found (tried ${candidates.map((each) => each.join(' ')).join(', ')})`);
  return found;
};

const findHeaders = () => {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    const bundled = join(dirname(process.execPath), '..', 'include', 'node');
    if (existsSync(join(bundled, 'node_api.h'))) return bundled;
    throw new BuildError('the package node-api-headers is not installed');
  }
};

const sources = () => [fileURLToPath(import.meta.url), ...readdirSync(SOURCES).map((name) => join(SOURCES, name))];

const isCurrent = (addon) => existsSync(addon) && sources().every((source) => statSync(source).mtimeMs <= statSync(addon).mtimeMs);

const build = (folder, { sanitize }) => {
  const levels = LEVELS[process.arch];
  if (levels === undefined || process.platform === 'win32') throw new BuildError(`not supported on ${process.platform} ${process.arch}`);
  const [compiler, ...leading] = findCompiler();
  const call = (args) => {
    const { status, stderr, error } = spawnSync(compiler, [...leading, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new BuildError(`${compiler} failed: ${error?.message ?? stderr.trim().split('\n').slice(0, 20).join('\n')}`);
  };
  const scratch = mkdtempSync(join(tmpdir(), 'onefold-native-'));
  try {
    const checks = sanitize ? ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-g', '-O1'] : ['-O3'];
    const common = [
      '-std=c++17', ...checks, '-fPIC', '-fvisibility=hidden', '-pthread', '-fno-math-errno',
      // A product fused with a sum rounds once instead of twice: levels that have the instruction would differ from those that lack it.
      '-ffp-contract=off',
      '-w', '-DNAPI_VERSION=8', `-I${findHeaders()}`,
    ];
    const objects = [];
    const compile = (source, object, flags) => {
      objects.push(join(scratch, `${object}.o`));
      call([...common, ...flags, '-c', join(SOURCES, source), '-o', objects.at(-1)]);
    };
    for (const [level, flags] of Object.entries({ baseline: [], ...levels })) compile('level.cpp', `level-${level}`, [...flags, `-DONEFOLD_LEVEL=${level}`]);
    for (const source of readdirSync(SOURCES)) if (source.endsWith('.cpp') && source !== 'level.cpp') compile(source, source, []);
    const shared = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
    mkdirSync(folder, { recursive: true });
    // Renamed into place: a process that has the old one loaded keeps it, and none ever loads half a file.
    const fresh = join(folder, `.${ADDON}.${process.pid}`);
    call([...checks, ...shared, '-pthread', ...objects, '-o', fresh]);
    renameSync(fresh, join(folder, ADDON));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

const [mode, folder] = process.argv.slice(2);
const target = mode === '--sanitize' ? folder : join(HERE, 'build');
try {
  if (mode !== '--if-needed' || !isCurrent(join(target, ADDON))) build(target, { sanitize: mode === '--sanitize' });
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`onefold: the native kernel was not built: ${error.message}. ${COST}`);
  if (mode !== '--if-needed') process.exitCode = 1;
}
