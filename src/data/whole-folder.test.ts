import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IoError } from '../config/errors.js';
import { writeWholeFolder } from './whole-folder.js';

let parent: string;
let target: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'onefold-'));
  target = join(parent, 'exports', 'search');
});

afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

const write = (text: string): Promise<string> =>
  writeWholeFolder(target, (folder) => {
    writeFileSync(join(folder, 'a.txt'), text);
    return Promise.resolve(text);
  });

const stored = (): string => readFileSync(join(target, 'a.txt'), 'utf8');
const beside = (): string[] => readdirSync(join(parent, 'exports'));

describe('writeWholeFolder', () => {
  it('writes a new folder, with its parents, and gives what filling it gave', async () => {
    expect(await write('one')).toBe('one');
    expect(stored()).toBe('one');
    expect(beside()).toEqual(['search']);
  });

  it('replaces a folder whole: no file of the old one stays', async () => {
    await write('one');
    writeFileSync(join(target, 'old.txt'), 'old');
    await write('two');
    expect(stored()).toBe('two');
    expect(readdirSync(target)).toEqual(['a.txt']);
    expect(beside()).toEqual(['search']);
  });

  it('leaves the old folder and nothing else when filling fails', async () => {
    await write('one');
    const failing = writeWholeFolder(target, (folder) => {
      writeFileSync(join(folder, 'a.txt'), 'half');
      return Promise.reject(new Error('no'));
    });
    await expect(failing).rejects.toThrow('no');
    expect(stored()).toBe('one');
    expect(beside()).toEqual(['search']);
  });

  it('is not seen before it is whole', async () => {
    await writeWholeFolder(target, () => {
      expect(existsSync(target)).toBe(false);
      return Promise.resolve();
    });
    expect(existsSync(target)).toBe(true);
  });

  it('cleans up after a process that was killed while it wrote', async () => {
    const partial = join(parent, 'exports', '.search.partial');
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, 'half.txt'), 'half');
    await write('one');
    expect(readdirSync(target)).toEqual(['a.txt']);
    expect(beside()).toEqual(['search']);
  });

  it('puts back what a process was killed over between its two renames', async () => {
    await write('one');
    renameSync(target, join(parent, 'exports', '.search.replaced'));
    await expect(writeWholeFolder(target, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(stored()).toBe('one');
    expect(beside()).toEqual(['search']);
  });

  it('names the folder that the file system refuses', async () => {
    writeFileSync(join(parent, 'exports'), 'a file');
    const error = await write('one').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(IoError);
    expect((error as IoError).where).toBe(target);
  });
});
