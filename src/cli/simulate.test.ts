import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UsageError } from '../config/errors.js';
import { simulateCommand } from './simulate.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'onefold-simulate-command-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

const run = async (...args: string[]): Promise<{ stdout: string; stderr: string }> => {
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((part) => {
      text[stream] += String(part);
      return true;
    });
  }
  await simulateCommand().exitOverride().parseAsync(args, { from: 'user' });
  vi.restoreAllMocks();
  return text;
};

test('--json prints the summary as one object and nothing else', async () => {
  const directory = join(root, 'market');
  const { stdout, stderr } = await run(directory, '--candidates', '2_000', '--seed', '5', '--days', '3', '--json');
  expect(stderr).toBe('');
  const result = JSON.parse(stdout) as { directory: string; seed: number };
  expect(result).toMatchObject({ directory, seed: 5, days: 3, until: '2026-01-08T00:00:00.000Z' });
  expect(result).toEqual({ directory, ...(JSON.parse(readFileSync(join(directory, 'marketplace.json'), 'utf8')) as object) });
});

test('people read counts, base rates and the best possible log loss of each surface', async () => {
  const { stdout } = await run(join(root, 'market'), '--candidates', '2000');
  expect(stdout).toMatch(/home_feed: .* requests, .* % clicked, best possible log loss 0\.\d+/u);
});

test('refuses a number that is none, and a folder in use', async () => {
  const directory = join(root, 'market');
  await expect(run(directory, '--candidates', 'many')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
  expect(existsSync(directory)).toBe(false);
  await run(directory, '--candidates', '1000');
  await expect(run(directory, '--candidates', '1000')).rejects.toBeInstanceOf(UsageError);
  await run(directory, '--candidates', '1000', '--force');
});
