import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactError, IoError } from '../config/errors.js';
import { TOY_LAYOUT } from '../../test/support/toy-problem.js';
import { CHECKPOINT_FILES } from './checkpoint-manifest.js';
import { checkpointExists, openCheckpoint, writeCheckpoint } from './checkpoint.js';
import { arrayTensor } from './named-tensor.js';
import { SafetensorsFile } from './safetensors.js';

const write = (directory: string, value: number): void => {
  const tensors = [arrayTensor('x', [1000], new Float32Array(1000).fill(value))];
  writeCheckpoint(
    directory,
    { model: 'toy', configHash: 'abc', seed: 1, step: value, stepsBefore: 0, epoch: 0, layout: TOY_LAYOUT, parameters: [], progress: null },
    { 'dense.safetensors': tensors, 'tables.safetensors': tensors, 'optimizer.safetensors': tensors },
  );
};

const valueOf = (directory: string): number => {
  const file = new SafetensorsFile(join(directory, 'tables.safetensors'));
  const [value] = file.read('x');
  file.close();
  return value!;
};

describe('checkpoint', () => {
  let parent: string;
  let directory: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'onefold-checkpoint-'));
    directory = join(parent, 'checkpoint');
  });
  afterEach(() => {
    rmSync(parent, { recursive: true });
  });

  it('replaces the one before and leaves nothing else', () => {
    write(directory, 1);
    write(directory, 2);
    const manifest = openCheckpoint(directory);
    expect(manifest).toMatchObject({ step: 2, model: 'toy', layout: TOY_LAYOUT, progress: null });
    expect(valueOf(directory)).toBe(2);
    expect(readdirSync(parent)).toEqual(['checkpoint']);
    expect(readdirSync(directory).sort()).toEqual(['checkpoint.json', ...CHECKPOINT_FILES].sort());
  });

  it.each(CHECKPOINT_FILES)('never reads a torn one: %s', (name) => {
    write(directory, 1);
    const path = join(directory, name);
    const bytes = readFileSync(path);
    const altered = Buffer.from(bytes);
    altered[altered.length - 1]! ^= 1;
    writeFileSync(path, altered);
    expect(() => openCheckpoint(directory)).toThrow(new RegExp(`torn checkpoint: .*${name} has SHA-256 [0-9a-f]{64}; expected SHA-256 [0-9a-f]{64}`));
    truncateSync(path, bytes.length - 5);
    expect(() => openCheckpoint(directory)).toThrow(`${name} has ${bytes.length - 5} bytes; expected ${bytes.length} bytes`);
    rmSync(path);
    expect(() => openCheckpoint(directory)).toThrow(new RegExp(`${name} is missing; expected a file of ${bytes.length} bytes`));
    expect(() => openCheckpoint(directory)).toThrow(ArtifactError);
  });

  it('never trusts an altered, short or unknown manifest', () => {
    write(directory, 1);
    const path = join(directory, 'checkpoint.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"step": 1', '"step": 9'));
    expect(() => openCheckpoint(directory)).toThrow(/checkpoint.json has digest/);
    writeFileSync(path, text.slice(0, 100));
    expect(() => openCheckpoint(directory)).toThrow(/checkpoint.json is not whole JSON/);
    writeFileSync(path, text.replace('"version": 2', '"version": 99'));
    expect(() => openCheckpoint(directory)).toThrow(/checkpoint format 99 is not known/);
    rmSync(path);
    expect(() => openCheckpoint(directory)).toThrow(/holds no checkpoint/);
    expect(checkpointExists(directory)).toBe(false);
  });

  it('finds the old one when the process died between the two renames', () => {
    write(directory, 1);
    renameSync(directory, `${directory}.previous`);
    expect(checkpointExists(directory)).toBe(true);
    expect(openCheckpoint(directory).step).toBe(1);
  });

  it('keeps the old one when the disk refuses, and leaves nothing half-written', () => {
    write(directory, 1);
    // A file where the folder should be written: refused for root too, unlike a permission.
    writeFileSync(join(parent, 'file'), '');
    expect(() => {
      write(join(parent, 'file', 'checkpoint'), 2);
    }).toThrow(IoError);
    expect(readdirSync(parent).sort()).toEqual(['checkpoint', 'file']);
    expect(openCheckpoint(directory).step).toBe(1);
  });

  it('is the old one or the new one, whole, when killed at any moment', async () => {
    const script = `
      import { writeCheckpoint } from ${JSON.stringify(new URL('../../dist/train/checkpoint.js', import.meta.url).href)};
      import { arrayTensor } from ${JSON.stringify(new URL('../../dist/train/named-tensor.js', import.meta.url).href)};
      for (let value = 1; ; value += 1) {
        const tensors = [arrayTensor('x', [300000], new Float32Array(300000).fill(value))];
        writeCheckpoint(process.argv[1], { model: 'toy', configHash: '', seed: 1, step: value, stepsBefore: 0, epoch: 0, layout: {}, parameters: [], progress: null },
          { 'dense.safetensors': tensors, 'tables.safetensors': tensors, 'optimizer.safetensors': tensors });
        if (value === 1) process.stdout.write('ready');
      }`;
    for (let kill = 0; kill < 6; kill += 1) {
      rmSync(directory, { recursive: true, force: true });
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, 13 * kill));
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(openCheckpoint(directory).step).toBe(valueOf(directory));
      // The next save clears what the killed one left.
      write(directory, 5);
      expect(openCheckpoint(directory).step).toBe(5);
      expect(existsSync(`${directory}.writing`) || existsSync(`${directory}.previous`)).toBe(false);
    }
  });
});
