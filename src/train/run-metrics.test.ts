import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunMetrics } from './run-metrics.js';

describe('RunMetrics', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'onefold-metrics-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const steps = (): unknown[] =>
    readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { step: number }).step);

  it('appends a line a moment, and drops what a resumed run writes again', () => {
    const first = new RunMetrics(directory, 0);
    for (const step of [1, 2, 3]) first.write(step, { loss: 1 / step });
    expect(readFileSync(join(directory, 'metrics.jsonl'), 'utf8')).toContain('{"step":2,"loss":0.5}\n');
    appendFileSync(join(directory, 'metrics.jsonl'), '{"step":4,"lo');
    new RunMetrics(directory, 2).write(3, { loss: 0.3 });
    expect(steps()).toEqual([1, 2, 3]);
  });

  it('starts anew at step 0, event files included', () => {
    new RunMetrics(directory, 0).write(1, { loss: 1 });
    new RunMetrics(directory, 0).write(7, { loss: 1 });
    expect(steps()).toEqual([7]);
    expect(readdirSync(directory).filter((name) => name.includes('tfevents'))).toHaveLength(1);
  });
});
