import { describe, expect, it } from 'vitest';
import { completeReport, minimalReport, stoppedAtOnceReport, stoppedReport } from '../../../test/support/unify-report.js';
import type { SliceComparison, Verdict } from '../../evaluate/comparison.js';
import type { UnifyReport } from '../report.js';
import { checkCounts, conclude } from './conclusion.js';

const complete = completeReport();

/** The complete report with other verdicts of the first task's surfaces. */
const judged = (verdicts: readonly Verdict[]): UnifyReport => {
  const comparison = complete.comparison!;
  const [first, ...others] = comparison.tasks;
  const surfaces = first!.surfaces.map((slice, index): SliceComparison => ({ ...slice, metrics: { ...slice.metrics, auc: { ...slice.metrics.auc!, verdict: verdicts[index]! } } }));
  return { ...complete, comparison: { ...comparison, tasks: [{ ...first!, surfaces }, ...others] } };
};

describe('conclude', () => {
  it('says what one model replaces, and where it is better', () => {
    expect(conclude(complete)).toMatchObject({ tone: 'good', title: 'One model replaces 3: better on every surface', failures: [] });
    expect(conclude(minimalReport()).title).toBe('One model replaces 2: better on every surface');
  });

  it('does not hide a surface that lost or shows nothing', () => {
    expect(conclude(judged(['better', 'worse', 'no difference']))).toMatchObject({ tone: 'bad', title: 'One model replaces 3: better on home_feed, worse on search and no difference shown on 1 surface' });
    expect(conclude(judged(['better', 'no difference', 'better']))).toMatchObject({ tone: 'mixed', title: 'One model replaces 3: better on home_feed and related_pins and no difference shown on 1 surface' });
    expect(conclude(judged(['no difference', 'no difference', 'no difference'])).title).toBe('One model replaces 3: no difference shown on any surface');
  });

  it('leads with the gate that stopped a plan, its surface, and what stays', () => {
    expect(conclude(stoppedReport())).toMatchObject({ tone: 'bad', title: 'Stopped at surface-aware: search failed the quality limit', lead: 'The last good stage, efficiency, is the result; the stages after it were not run.' });
    expect(conclude(stoppedAtOnceReport())).toMatchObject({ title: 'Stopped at separate: search is not shown to be above chance', lead: 'Nothing is unified yet: the separate models stand.' });
  });

  it('names a limit of no surface alone', () => {
    const stopped = stoppedReport();
    const last = stopped.stages.at(-1)!;
    const size = { ...last, checks: [{ limit: 'size' as const, passed: false, text: "the exports have 1.20 of the separate models' bytes, at most 1", clocked: false }] };
    expect(conclude({ ...stopped, stages: [...stopped.stages.slice(0, -1), size] }).title).toBe('Stopped at surface-aware: the size limit failed');
  });

  it('keeps a failure that was overruled in sight', () => {
    const stopped = stoppedReport().stages.at(-1)!;
    const overruled: UnifyReport = { ...complete, outcome: { status: 'continued', stage: stopped.label, failures: [stopped.checks[0]!.text] }, stages: complete.stages.map((stage) => (stage.label === stopped.label ? { ...stopped, status: 'continued' } : stage)) };
    const { tone, failures } = conclude(overruled);
    expect(tone).toBe('mixed');
    expect(failures).toEqual([{ stage: 'surface-aware', overruled: true, checks: [stopped.checks[0]] }]);
    expect(checkCounts(overruled).failed).toBe(1);
  });
});
