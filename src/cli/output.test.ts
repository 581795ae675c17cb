import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compactNumber, createOutput, duration } from './output.js';

const COMPILED = fileURLToPath(new URL('../../dist/cli/output.js', import.meta.url));

/** What a piece of code writes, run as on a terminal. */
const onTerminal = (code: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => {
  const script = `process.stderr.isTTY = true; import(${JSON.stringify(COMPILED)}).then(({ createOutput, stopProgress }) => { ${code} });`;
  return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 15_000 });
};

afterEach(() => {
  vi.restoreAllMocks();
});

const written = (stream: 'stdout' | 'stderr'): string[] => {
  const lines: string[] = [];
  vi.spyOn(process[stream], 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  return lines;
};

describe('what a command writes', () => {
  it('is text for people, or one JSON object', () => {
    const [stdout, stderr] = [written('stdout'), written('stderr')];
    const people = createOutput({});
    people.text('a table');
    people.result({ a: 1 });
    expect(stdout.splice(0)).toEqual(['a table\n']);
    const machine = createOutput({ json: true });
    machine.text('a table');
    machine.step('a step');
    machine.progress('work').done('all');
    machine.result({ a: 1, b: ['x'] });
    expect(stdout).toEqual(['{"a":1,"b":["x"]}\n']);
    expect(stderr).toEqual([]);
  });

  it('is a line at the end, and one every few seconds, where there is no terminal', () => {
    const stderr = written('stderr');
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    const progress = createOutput({}).progress('train');
    progress.update(0.1, 'early');
    clock.mockReturnValue(6_000);
    progress.update(0.25, 'a quarter');
    progress.update(0.3, 'a little more');
    progress.done('all');
    expect(stderr).toEqual(['train 25% a quarter\n', 'train done all\n']);
  });

  it('is a bar on a terminal, which goes away with the work', () => {
    const { status, stdout, stderr } = onTerminal(`const line = createOutput({}).progress('train'); line.update(0.5, 'half'); line.done('all');`);
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toContain('half');
    // The styling depends on the terminal.
    expect(stderr).toMatch(/train .*done.* all\n$/);
  });

  it('keeps no process alive when the work fails half-way', () => {
    const { status, stderr } = onTerminal(`createOutput({}).progress('train').update(0.5, 'half'); stopProgress();`);
    expect(status).toBe(0);
    expect(stderr).toContain('half');
  });
});

describe('numbers for people', () => {
  it.each([[999, '999'], [1234, '1.23K'], [1_234_567, '1.23M']])('%i is %s', (value, text) => {
    expect(compactNumber(value)).toBe(text);
  });

  it.each([[0.04, '0.0s'], [59.4, '59.4s'], [59.7, '1m 00s'], [65, '1m 05s'], [3_725, '62m 05s']])('%d seconds are %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
