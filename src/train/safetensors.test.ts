import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactError, IoError } from '../config/errors.js';
import { fillFromFiles } from './fill-tensors.js';
import { arrayTensor } from './named-tensor.js';
import { SafetensorsFile, writeSafetensors } from './safetensors.js';

describe('safetensors', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'onefold-safetensors-'));
    path = join(directory, 'file.safetensors');
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const data = [
    { name: 'a', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'b.empty', shape: [0, 3], data: new Float32Array(0) },
    { name: 'large', shape: [5_000_000], data: Float32Array.from({ length: 5_000_000 }, (_, i) => i) },
  ];
  const tensors = data.map(({ name, shape, data: values }) => arrayTensor(name, shape, values));

  it('reads back what was written, whole and in pieces', () => {
    const written = writeSafetensors(path, tensors);
    const bytes = readFileSync(path);
    expect(written).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
    const file = new SafetensorsFile(path);
    expect(file.names).toEqual(['a', 'b.empty', 'large']);
    expect(file.shape('a')).toEqual([2, 3]);
    for (const { name, data: values } of data) expect(Buffer.from(file.read(name).buffer).equals(Buffer.from(values.buffer))).toBe(true);
    const piece = new Float32Array(2);
    file.readInto('a', piece, 3);
    expect([...piece]).toEqual([4, 5]);
    expect(() => {
      file.readInto('a', piece, 5);
    }).toThrow(ArtifactError);
    expect(() => file.read('c')).toThrow(/has no tensor "c"; it holds a, b.empty, large/);
    file.close();
  });

  it('lays bytes out as the format says', () => {
    writeSafetensors(path, tensors.slice(0, 1));
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    expect(JSON.parse(bytes.subarray(8, 8 + length).toString())).toEqual({ a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] } });
    expect(bytes.readFloatLE(8 + length + 20)).toBe(6);
    expect(bytes.length).toBe(8 + length + 24);
  });

  it('reads what the Python library wrote: in its order, with metadata, in half precision and bfloat16', () => {
    const oracle = (name: string): string => fileURLToPath(new URL(`./oracle/${name}`, import.meta.url));
    const expected = JSON.parse(readFileSync(oracle('safetensors_file.json'), 'utf8')) as Record<string, { shape: number[]; values: number[] }>;
    const file = new SafetensorsFile(oracle('safetensors_file.safetensors'));
    expect([...file.names].sort()).toEqual(['a.float16', 'a.special', 'ids', 'm.bfloat16', 'scalar', 'z.float32']);
    expect(Object.keys(expected)).toHaveLength(4);
    for (const [name, { shape, values }] of Object.entries(expected)) {
      expect(file.shape(name)).toEqual(shape);
      expect([...file.read(name)]).toEqual(values);
      const [tail, from] = [new Float32Array(1), values.length - 1];
      file.readInto(name, tail, from);
      expect(tail[0]).toBe(values[from]);
    }
    expect([...file.read('a.special')]).toEqual([0, -0, 1.5, -2.25, 65504, 5.960464477539063e-8, Infinity, -Infinity]);
    expect(() => file.read('ids')).toThrow(/tensor "ids" is I64, which is no float/);
    expect(() => {
      file.readInto('a.float16', new Float32Array(2), 14);
    }).toThrow(/ends before element 16/);
    // A model's own tensors are filled from any of them.
    const values = new Float32Array(15);
    fillFromFiles([{ path: file.path, tensors: [arrayTensor('m.bfloat16', [5, 3], values)] }]);
    expect([...values]).toEqual(expected['m.bfloat16']!.values);
    file.close();
  });

  it('rejects files that are short or not safetensors', () => {
    writeSafetensors(path, tensors.slice(0, 1));
    truncateSync(path, readFileSync(path).length - 4);
    expect(() => new SafetensorsFile(path)).toThrow(/tensor "a" is F32 \[2, 3\] in bytes 0 to 24 of 20/);
    writeFileSync(path, 'x');
    expect(() => new SafetensorsFile(path)).toThrow(ArtifactError);
    writeFileSync(path, '{"not": "safetensors", "at": "all"}');
    expect(() => new SafetensorsFile(path)).toThrow(ArtifactError);
  });

  it('names the file when the file system refuses', () => {
    expect(() => writeSafetensors(join(directory, 'absent', 'f'), tensors)).toThrow(IoError);
    // /dev/full takes no byte: what a full disk says.
    expect(() => writeSafetensors('/dev/full', tensors)).toThrow('/dev/full: no space left on the disk');
  });
});
