import { CommanderError } from 'commander';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, DataError, OnefoldError, UsageError } from '../config/errors.js';
import { reportError, type ReportedError } from './report-error.js';

let stderr: string[];

beforeEach(() => {
  stderr = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr.push(String(text));
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const asJson = (error: unknown, verbose = false): { readonly exit: number; readonly error: ReportedError } => {
  const exit = reportError(error, { json: true, verbose });
  expect(stderr.length).toBe(1);
  return { exit, ...(JSON.parse(stderr[0]!) as { readonly error: ReportedError }) };
};

describe('an error', () => {
  it('of ours says where, what was expected and the fix, and has its exit code', () => {
    const error = new DataError('no column "price"', { where: 'search.csv', expected: 'a column', fix: 'add it' });
    expect(asJson(error)).toEqual({ exit: 4, error: { code: 'data', message: 'no column "price"', where: 'search.csv', expected: 'a column', fix: 'add it' } });
    stderr.length = 0;
    expect(reportError(error, { json: false, verbose: false })).toBe(4);
    const text = stderr.join('');
    for (const part of ['[data]', 'no column "price"', 'search.csv', 'add it']) expect(text).toContain(part);
    expect(text).not.toContain('at ');
  });

  it.each([[new UsageError('x'), 2], [new OnefoldError('interrupted', 'x'), 130], [new TypeError('x'), 1], ['thrown text', 1]])('ends with its exit code: %s', (error, exit) => {
    expect(reportError(error, { json: true, verbose: false })).toBe(exit);
  });

  it('of a config lists every problem', () => {
    const issues = [{ path: 'features.age', message: 'm', expected: 'e', fix: 'f' }];
    expect(asJson(new ConfigError('onefold.config.ts', issues)).error.issues).toEqual(issues);
  });

  it('has stack traces, of its causes too, only where they are asked for', () => {
    const error = new DataError('outer', { cause: new Error('inner') });
    expect(asJson(error).error.stack).toBeUndefined();
    stderr.length = 0;
    expect(asJson(error, true).error.stack).toMatch(/outer[\s\S]*at [\s\S]*inner[\s\S]*at /);
  });

  it('of the file system is no defect of ours', () => {
    const folder = mkdtempSync(join(tmpdir(), 'onefold-'));
    try {
      let refused: unknown;
      try {
        readFileSync(join(folder, 'missing.json'));
      } catch (error) {
        refused = error;
      }
      expect(asJson(refused)).toMatchObject({ exit: 9, error: { code: 'io', where: join(folder, 'missing.json') } });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('in a call is told once: by Commander to people, as an object to machines', () => {
    const wrong = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--bogus'");
    expect(reportError(wrong, { json: false, verbose: false })).toBe(2);
    expect(stderr).toEqual([]);
    expect(asJson(wrong)).toMatchObject({ exit: 2, error: { code: 'usage', message: "unknown option '--bogus'" } });
    expect(reportError(new CommanderError(0, 'commander.helpDisplayed', '(outputHelp)'), { json: true, verbose: false })).toBe(0);
  });
});
