import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventFile } from './event-file.js';
import { EventSchema } from './event_pb.js';

/** CRC-32C bit by bit: the definition, apart from the library that writes. */
const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
};

const unmask = (masked: number): number => {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
};

const readRecords = (path: string): Uint8Array[] => {
  const bytes = readFileSync(path);
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(data));
    records.push(data);
    at += 16 + length;
  }
  return records;
};

describe('EventFile', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'onefold-events-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('writes records that decode to what was written', () => {
    const file = new EventFile(directory, new Date(1_700_000_000_000));
    file.write(3, { 'loss/home_feed': 0.5, learning_rate: 0.25 }, new Date(1_700_000_001_500));
    expect(readdirSync(directory)).toEqual([basename(file.path)]);
    expect(basename(file.path)).toMatch(/^events\.out\.tfevents\.1700000000\./);
    const [version, event] = readRecords(file.path).map((record) => fromBinary(EventSchema, record));
    expect(version!.what).toEqual({ case: 'fileVersion', value: 'brain.Event:2' });
    expect(version!.wallTime).toBe(1_700_000_000);
    expect(event!.step).toBe(3n);
    expect(event!.wallTime).toBe(1_700_000_001.5);
    const summary = event!.what.case === 'summary' ? event!.what.value : undefined;
    expect(summary!.value.map(({ tag, value }) => [tag, value.value])).toEqual([
      ['loss/home_feed', 0.5],
      ['learning_rate', 0.25],
    ]);
  });

  it('names the file when the folder cannot be written', () => {
    expect(() => new EventFile(join(directory, 'absent'))).toThrow(/absent.*events\.out\.tfevents.*: there is no such file or folder/);
  });
});
