import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const NATIVE = fileURLToPath(new URL('../../native/', import.meta.url));

/** The sanitizer's runtime, which must be loaded before Node's own libraries; undefined where there is none. */
const findRuntime = (): string | undefined => {
  if (process.platform !== 'linux') return undefined;
  for (const compiler of [process.env['CXX'] ?? 'c++', 'g++']) {
    const path = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout;
    // A compiler that has no such file prints its bare name.
    if (typeof path === 'string' && isAbsolute(path.trim()) && existsSync(path.trim())) return path.trim();
  }
  return undefined;
};

const runtime = findRuntime();
if (runtime === undefined) console.warn('SKIPPED: no C++ compiler with AddressSanitizer, so the native kernel was not run under it');

describe.skipIf(runtime === undefined)('the native kernel under AddressSanitizer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onefold-sanitized-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('reads and writes nothing outside its buffers on any path, wrong ids and sizes among them', { timeout: 300_000 }, () => {
    const built = spawnSync(process.execPath, [join(NATIVE, 'build.mjs'), '--sanitize', folder], { encoding: 'utf8' });
    expect(built.stderr).toBe('');
    const run = spawnSync(process.execPath, [join(NATIVE, 'exercise.mjs'), join(folder, 'onefold_kernels.node')], {
      encoding: 'utf8',
      // Node itself frees nothing at its end.
      env: { ...process.env, LD_PRELOAD: runtime, ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' },
    });
    expect(run.stderr).toBe('');
    expect(run.stdout).toMatch(/^exercised .*baseline\n$/);
    expect(run.status).toBe(0);
  });
});
