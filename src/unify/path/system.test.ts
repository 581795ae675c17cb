import { describe, expect, it } from 'vitest';
import type { Calibration } from '../../calibrate/calibration.js';
import type { PlanRun } from './plan-run.js';
import { runOf, surfacesOf, systemKey, withRun, type System } from './system.js';

const run = (key: string, ...surfaces: readonly string[]): PlanRun => ({ key, run: { name: surfaces.join('+'), surfaces, directory: `/runs/${key}` } }) as unknown as PlanRun;

const separate: System = { name: 'separate', runs: [run('h', 'home'), run('s', 'search'), run('r', 'related')], outside: [], calibration: undefined };
const outside: System = { ...separate, runs: [], outside: ['home', 'search', 'related'] };

describe('withRun', () => {
  it('lets a run answer for its surfaces, and others keep theirs', () => {
    const unified = run('u', 'home', 'search');
    const system = withRun({ ...separate, calibration: {} as Calibration }, 'baseline', unified);
    expect(system.name).toBe('baseline');
    expect(system.runs.map(({ key }) => key)).toEqual(['u', 'r']);
    expect(['home', 'search', 'related'].map((surface) => runOf(system, surface)!.key)).toEqual(['u', 'u', 'r']);
    // A calibration is of the predictions that it was fitted on.
    expect(system.calibration).toBeUndefined();
    expect(surfacesOf(system)).toEqual(['home', 'search', 'related']);
  });

  it('replaces an outside model on its surfaces alone', () => {
    const system = withRun(outside, 'baseline', run('u', 'home', 'search'));
    expect(system.outside).toEqual(['related']);
    expect(runOf(system, 'related')).toBeUndefined();
    expect([...surfacesOf(system)].sort()).toEqual(['home', 'related', 'search']);
  });

  it('takes the place of the run that it grew from', () => {
    const grown = withRun(withRun(separate, 'baseline', run('u', 'home', 'search')), 'expand', run('all', 'home', 'search', 'related'));
    expect(grown.runs.map(({ key }) => key)).toEqual(['all']);
  });
});

describe('systemKey', () => {
  it('is that of the runs behind the surfaces, whatever the system is called or calibrated with', () => {
    const key = systemKey(separate, ['home', 'search']);
    expect(systemKey({ ...separate, name: 'other', calibration: {} as Calibration }, ['home', 'search'])).toBe(key);
    expect(systemKey({ ...separate, runs: [...separate.runs.slice(0, 2), run('another', 'related')] }, ['home', 'search'])).toBe(key);
  });

  it.each<[string, System, readonly string[]]>([
    ['another run', { ...separate, runs: [run('h2', 'home'), ...separate.runs.slice(1)] }, ['home', 'search']],
    ['other surfaces', separate, ['home']],
    ['an outside model', outside, ['home', 'search']],
  ])('changes with %s', (_, system, surfaces) => {
    expect(systemKey(system, surfaces)).not.toBe(systemKey(separate, ['home', 'search']));
  });
});
