/**
 * The safetensors format (github.com/huggingface/safetensors): an 8-byte little-endian header length, a JSON header,
 * then the tensors' bytes. Files are written and read in pieces, so a table may be larger than any single buffer.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { ArtifactError } from '../config/errors.js';
import { explainIoFailure } from '../data/io-failure.js';
import { fromHalf } from '../kernels/half-precision.js';
import type { FileDigest } from './checkpoint-manifest.js';
import { elementCount, rowRanges, rowSize, type NamedTensor } from './named-tensor.js';

/** What float tensors may be stored as; all are read as float32. */
const FLOAT_BYTES: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 };

const PIECE_BYTES = 16 * 2 ** 20;
const MAX_HEADER_BYTES = 100 * 2 ** 20;

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const bytesOf = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const encodeHeader = (tensors: readonly NamedTensor[]): Uint8Array => {
  const header: Record<string, HeaderEntry> = {};
  let offset = 0;
  for (const tensor of tensors) {
    const bytes = 4 * elementCount(tensor);
    header[tensor.name] = { dtype: 'F32', shape: tensor.shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = JSON.stringify(header);
  const length = Math.ceil(Buffer.byteLength(json) / 8) * 8;
  const bytes = Buffer.alloc(8 + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length), 0);
  bytes.write(json, 8);
  return bytes;
};

/**
 * Writes the tensors, in the order given, and flushes the file to disk.
 *
 * @throws IoError when the file system refuses (permission, space).
 */
export const writeSafetensors = (path: string, tensors: readonly NamedTensor[]): FileDigest => {
  const hash = createHash('sha256');
  let bytes = 0;
  let file: number | undefined;
  try {
    const descriptor = openSync(path, 'w');
    file = descriptor;
    const append = (data: Uint8Array): void => {
      for (let at = 0; at < data.byteLength; ) {
        const piece = data.subarray(at, at + PIECE_BYTES);
        const written = writeSync(descriptor, piece);
        hash.update(piece.subarray(0, written));
        at += written;
      }
      bytes += data.byteLength;
    };
    append(encodeHeader(tensors));
    let piece = new Float32Array(0);
    for (const tensor of tensors) {
      for (const { first, floats } of rowRanges(tensor)) {
        if (piece.length < floats) piece = new Float32Array(floats);
        const values = piece.subarray(0, floats);
        tensor.read(first, values);
        append(bytesOf(values));
      }
    }
    fsyncSync(descriptor);
  } catch (cause) {
    throw explainIoFailure(cause, path);
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return { bytes, sha256: hash.digest('hex') };
};

const torn = (path: string, message: string, cause?: unknown): ArtifactError =>
  new ArtifactError(`${path}: ${message}`, {
    where: path,
    expected: 'a safetensors file of tensors in F32, F16 or BF16',
    fix: 'Restore the file, or train again.',
    cause,
  });

/** An open safetensors file. Close it when done. */
export class SafetensorsFile {
  readonly path: string;
  readonly #file: number;
  readonly #start: number;
  readonly #entries: ReadonlyMap<string, HeaderEntry>;

  /** @throws ArtifactError when the header does not fit the file; IoError when it cannot be opened. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#file = openSync(path, 'r');
    } catch (cause) {
      throw explainIoFailure(cause, path);
    }
    try {
      const fileSize = fstatSync(this.#file).size;
      const length = fileSize < 8 ? -1 : Number(Buffer.from(this.#bytes(0, 8)).readBigUInt64LE(0));
      if (length < 2 || length > MAX_HEADER_BYTES || 8 + length > fileSize) throw torn(path, `header of ${length} bytes in a file of ${fileSize}`);
      this.#start = 8 + length;
      const header = JSON.parse(Buffer.from(this.#bytes(8, length)).toString()) as Record<string, HeaderEntry>;
      this.#entries = new Map(Object.entries(header).filter(([name]) => name !== '__metadata__'));
      for (const [name, { dtype, shape, data_offsets: [from, to] }] of this.#entries) {
        const size = FLOAT_BYTES[dtype];
        // Files of others may hold tensors that are no floats, which nobody asks for.
        const expected = size === undefined ? to - from : size * shape.reduce((product, dim) => product * dim, 1);
        if (from < 0 || to - from !== expected || this.#start + to > fileSize) {
          throw torn(path, `tensor "${name}" is ${dtype} [${shape.join(', ')}] in bytes ${from} to ${to} of ${fileSize - this.#start}`);
        }
      }
    } catch (error) {
      this.close();
      throw error instanceof SyntaxError ? torn(path, 'the header is not JSON', error) : error;
    }
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** @throws ArtifactError when the file has no such tensor. */
  shape(name: string): readonly number[] {
    return this.#entry(name).shape;
  }

  /** The whole tensor, in memory of its own. */
  read(name: string): Float32Array {
    const data = new Float32Array(this.shape(name).reduce((product, dim) => product * dim, 1));
    this.readInto(name, data);
    return data;
  }

  /** A tensor to be copied from piece by piece while the file is open. */
  tensor(name: string): NamedTensor {
    const shape = this.shape(name);
    const size = rowSize({ shape });
    return {
      name,
      shape,
      read: (first, values) => {
        this.readInto(name, values, first * size);
      },
    };
  }

  /**
   * Fills `target` with the tensor's values from element `first` on, as float32.
   *
   * @throws ArtifactError when it ends before, or holds no floats
   */
  readInto(name: string, target: Float32Array, first = 0): void {
    const { dtype, data_offsets: [from, to] } = this.#entry(name);
    const size = FLOAT_BYTES[dtype];
    if (size === undefined) throw torn(this.path, `tensor "${name}" is ${dtype}, which is no float`);
    const start = from + size * first;
    if (start + size * target.length > to) throw torn(this.path, `tensor "${name}" ends before element ${first + target.length}`);
    if (dtype === 'F32') this.#fill(this.#start + start, bytesOf(target));
    else {
      const halves = new Uint16Array(target.length);
      this.#fill(this.#start + start, new Uint8Array(halves.buffer));
      if (dtype === 'F16') halves.forEach((half, i) => (target[i] = fromHalf(half)));
      else {
        // The upper half of a float32's bits.
        const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
        halves.forEach((half, i) => (bits[i] = half << 16));
      }
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #entry(name: string): HeaderEntry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw torn(this.path, `has no tensor "${name}"; it holds ${this.names.join(', ')}`);
    return entry;
  }

  #bytes(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#fill(position, bytes);
    return bytes;
  }

  #fill(position: number, target: Uint8Array): void {
    for (let at = 0; at < target.byteLength; ) {
      const read = readSync(this.#file, target, at, Math.min(PIECE_BYTES, target.byteLength - at), position + at);
      if (read === 0) throw torn(this.path, `ends at byte ${position + at}`);
      at += read;
    }
  }
}
