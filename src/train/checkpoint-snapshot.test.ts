import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentBytes, snapshotBuffers, snapshotContents, takeSnapshot } from './checkpoint-snapshot.js';
import { arrayTensor } from './named-tensor.js';
import { writeSafetensors } from './safetensors.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'onefold-snapshot-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const numbered = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);

describe('a snapshot', () => {
  it('is what the state was when it was taken, piece by piece', () => {
    // Wider than a piece's rows divide evenly, in several pieces; a vector; a scalar; nothing.
    const values = [numbered(3 * 2_500_001), numbered(5), numbered(1), numbered(0)];
    const tensors = [[2_500_001, 3], [5], [], [0, 4]].map((shape, index) => arrayTensor(`t${index}`, shape, values[index]!));
    const contents = { 'dense.safetensors': tensors, 'tables.safetensors': [], 'optimizer.safetensors': tensors.slice(1) };
    writeSafetensors(join(directory, 'before'), tensors);
    const snapshot = takeSnapshot(contents);
    for (const array of values) array.fill(-1);
    writeSafetensors(join(directory, 'after'), snapshotContents(snapshot)['dense.safetensors']);
    expect(readFileSync(join(directory, 'after')).equals(readFileSync(join(directory, 'before')))).toBe(true);
    expect(contentBytes(contents)).toBe(4 * (3 * 2_500_001 + 2 * (5 + 1)));
    expect(snapshotBuffers(snapshot).reduce((sum, buffer) => sum + buffer.byteLength, 0)).toBe(contentBytes(contents));
  });

  it('gives any range of rows', () => {
    const contents = { 'dense.safetensors': [arrayTensor('t', [1_500_000, 4], numbered(6_000_000))], 'tables.safetensors': [], 'optimizer.safetensors': [] };
    const [tensor] = snapshotContents(takeSnapshot(contents))['dense.safetensors'];
    fc.assert(
      fc.property(fc.integer({ min: 1_048_000, max: 1_049_000 }), fc.integer({ min: 1, max: 2000 }), (first, rows) => {
        const values = new Float32Array(4 * rows);
        tensor!.read(first, values);
        for (const [index, value] of values.entries()) if (value !== 4 * first + index) return false;
        return true;
      }),
    );
  });
});
