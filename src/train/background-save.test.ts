import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TOY_LAYOUT } from '../../test/support/toy-problem.js';
import type { BackgroundSave } from './background-save.js';
import { openCheckpoint, type CheckpointTarget } from './checkpoint.js';
import { CHECKPOINT_FILES } from './checkpoint-manifest.js';
import { arrayTensor } from './named-tensor.js';
import { SafetensorsFile } from './safetensors.js';

// A thread loads compiled code only.
const compiled = (await import(new URL('../../dist/train/background-save.js', import.meta.url).href)) as { BackgroundSave: typeof BackgroundSave };

const manifest = (step: number): CheckpointTarget['manifest'] => ({
  model: 'toy', configHash: '', seed: 1, step, stepsBefore: 0, epoch: 0, layout: TOY_LAYOUT, parameters: [], progress: null,
});

const valueOf = (directory: string): number => {
  const file = new SafetensorsFile(join(directory, 'tables.safetensors'));
  const values = file.read('x');
  file.close();
  expect(new Set(values).size).toBe(1);
  return values[0]!;
};

describe.each([
  ['copied and written by another thread', undefined],
  ['written at once', 0],
])('a state that is %s', (_, limit) => {
  let parent: string;
  let saver: BackgroundSave;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'onefold-save-'));
    saver = new compiled.BackgroundSave(limit);
  });
  afterEach(async () => {
    await saver.close();
    rmSync(parent, { recursive: true });
  });

  it('is saved as it was when that was asked for, checkpoint after checkpoint', async () => {
    const data = new Float32Array(1_000_000).fill(1);
    const tensors = [arrayTensor('x', [500_000, 2], data)];
    const contents = { 'dense.safetensors': tensors, 'tables.safetensors': tensors, 'optimizer.safetensors': tensors };
    const vocabulary = join(parent, 'vocabulary.json');
    writeFileSync(vocabulary, '{}');
    const folder = (name: string): string => join(parent, name);
    const both = ['checkpoint', 'resume'].map((name) => ({ directory: folder(name), manifest: manifest(1), vocabulary }));
    const first = saver.save(both, contents);
    data.fill(2);
    const second = saver.save([{ directory: folder('resume'), manifest: manifest(2), vocabulary }], contents);
    data.fill(3);
    expect([(await first).step, (await second).step]).toEqual([1, 2]);
    expect([openCheckpoint(folder('checkpoint')).step, valueOf(folder('checkpoint'))]).toEqual([1, 1]);
    expect([openCheckpoint(folder('resume')).step, valueOf(folder('resume'))]).toEqual([2, 2]);
    expect(readdirSync(folder('resume')).sort()).toEqual(['checkpoint.json', ...CHECKPOINT_FILES, 'vocabulary.json'].sort());
    expect(readFileSync(join(folder('resume'), 'vocabulary.json'), 'utf8')).toBe('{}');
    // One copy on disk of what never changes.
    expect(statSync(vocabulary).nlink).toBe(3);
  });

  it('says when the disk refuses, and goes on', async () => {
    const contents = { 'dense.safetensors': [], 'tables.safetensors': [arrayTensor('x', [1], Float32Array.of(4))], 'optimizer.safetensors': [] };
    writeFileSync(join(parent, 'file'), '');
    await expect(saver.save([{ directory: join(parent, 'file', 'checkpoint'), manifest: manifest(1) }], contents)).rejects.toMatchObject({ code: 'io' });
    await saver.save([{ directory: join(parent, 'checkpoint'), manifest: manifest(2) }], contents);
    expect(valueOf(join(parent, 'checkpoint'))).toBe(4);
  });
});
