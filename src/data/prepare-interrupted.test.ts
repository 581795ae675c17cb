import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogWorkplace, homeConfig, requestLog, type LogWorkplace } from '../../test/support/log-workplace.js';
import { loadPrepared } from './load-prepared.js';
import { prepare } from './prepare.js';

// A process of its own runs the compiled code: `npm test` builds it first.
const compiled = fileURLToPath(new URL('../../dist/data/prepare.js', import.meta.url));

let place: LogWorkplace;
beforeEach(async () => {
  place = createLogWorkplace();
  await place.write('home.parquet', requestLog({ requests: 6_000, candidates: 5 }));
});
afterEach(() => place.remove());

/** Writes the script and the project that a child runs; it prints each step, and the error's code and message. */
const writeChild = (workspace: string): string => {
  const project = place.project({ ...homeConfig, workspace });
  const script = place.path('child.mjs');
  writeFileSync(
    script,
    `import { prepare } from ${JSON.stringify(compiled)};
     const project = ${JSON.stringify(project)};
     try {
       await prepare(project, { force: true, onProgress: ({ step, detail }) => process.stdout.write(step + ' ' + detail + '\\n') });
       process.stdout.write('done\\n');
     } catch (error) {
       process.stdout.write('failed ' + error.code + ': ' + error.message + '\\n');
     }`,
  );
  return script;
};

/** Kills the child as soon as it says `step`; resolves with whether it got there. */
const killAt = (script: string, step: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      if (output.includes(step)) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('exit', () => resolve(output.includes(step)));
  });

test.runIf(existsSync(compiled))('killed at any step, it leaves no dataset or a whole one, and the next run cleans up', async () => {
  const script = writeChild('work');
  const project = place.project(homeConfig);
  for (const step of ['read', 'stage', 'encode', 'write train', 'write test', 'done']) {
    expect(await killAt(script, step)).toBe(true);
    if (existsSync(place.path('work/prepared'))) await loadPrepared(place.path('work/prepared'), { verify: true });
    if (step === 'stage') {
      expect(readdirSync(place.path('work')).every((name) => name.startsWith('prepared.tmp-'))).toBe(true);
      expect((await prepare(project)).reused).toBe(false);
      expect(readdirSync(place.path('work'))).toEqual(['prepared']);
    }
  }
  expect((await prepare(project)).reused).toBe(true);
  expect(readdirSync(place.path('work'))).toEqual(['prepared']);
});

test('asked to stop at any step, it leaves the dataset that was there, or none', async () => {
  const project = place.project(homeConfig);
  const stopAt = (step: string): Promise<unknown> => {
    const stop = new AbortController();
    return prepare(project, { force: true, signal: stop.signal, onProgress: (progress) => (`${progress.step} ${progress.detail}`.startsWith(step) ? stop.abort() : undefined) });
  };
  await expect(stopAt('stage')).rejects.toMatchObject({ code: 'interrupted', where: place.path('work/prepared'), fix: 'run the command again' });
  expect(existsSync(place.path('work')) ? readdirSync(place.path('work')) : []).toEqual([]);
  await prepare(project);
  const before = readFileSync(place.path('work/prepared/manifest.json'), 'utf8');
  for (const step of ['fingerprint', 'read', 'merge', 'encode', 'write test']) {
    await expect(stopAt(step)).rejects.toMatchObject({ code: 'interrupted' });
    expect(readdirSync(place.path('work'))).toEqual(['prepared']);
    expect(readFileSync(place.path('work/prepared/manifest.json'), 'utf8')).toBe(before);
  }
  expect((await prepare(project)).reused).toBe(true);
});

const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt'], { stdio: 'ignore' }).status === 0;

test.runIf(existsSync(compiled) && canMount)('a full disk is named, and nothing half-written stays', () => {
  const script = writeChild('full');
  const full = place.path('full');
  const run = spawnSync('unshare', ['-rm', 'sh', '-c', `mkdir -p '${full}' && mount -t tmpfs -o size=32k tmpfs '${full}' && '${process.execPath}' '${script}'; ls -A '${full}'`], { encoding: 'utf8' });
  const lines = run.stdout.trim().split('\n');
  expect(lines.at(-1)).toMatch(/^failed io: .*(?:No space left|no space left)/);
});
