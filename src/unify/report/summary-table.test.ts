import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { completeReport, minimalReport, stoppedAtOnceReport, stoppedReport } from '../../../test/support/unify-report.js';
import { summaryTable } from './summary-table.js';

const linesOf = (text: string): readonly string[] => stripVTControlCharacters(text).split('\n');
const LONG = 'a_surface_with_a_name_that_is_far_too_long_for_a_table';

describe('summaryTable', () => {
  const complete = completeReport();
  const lines = linesOf(summaryTable(complete));

  it.each([
    ['complete', complete],
    ['stopped', stoppedReport()],
    ['stopped at once', stoppedAtOnceReport()],
    ['minimal', minimalReport()],
    ['long-named', completeReport({ surfaces: [LONG, `${LONG}_2`, 'c'], tasks: ['a_task_with_a_long_name', 'b'] })],
  ])('fits 100 columns: %s', (_, report) => {
    const shown = linesOf(summaryTable(report));
    expect(Math.max(...shown.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(shown.join('\n')).not.toMatch(/undefined|NaN/u);
  });

  it('begins with the outcome', () => {
    expect(lines[0]).toBe('One model replaces 3: better on every surface');
  });

  it('has AUC and NE of every surface and task, with interval and verdict', () => {
    for (const { task, overall, surfaces } of complete.comparison!.tasks) {
      for (const { name, metrics } of [overall, ...surfaces]) {
        const [auc, ne] = [metrics.auc!, metrics.ne!];
        const row = lines.find((line) => line.startsWith(`${name} `) && line.includes(` ${task} `))!;
        expect(row).toContain(`${auc.a!.toFixed(4)} → ${auc.b!.toFixed(4)}  [+${auc.interval!.low.toFixed(4)}, +${auc.interval!.high.toFixed(4)}]  better`);
        expect(row).toContain(`${ne.a!.toFixed(4)} → ${ne.b!.toFixed(4)} ▲`);
      }
    }
  });

  it('has calibration, costs, gates and exports', () => {
    const ratios = complete.calibration!.after.tasks[0]!.viewTypes.map(({ metrics }) => metrics.calibrationRatio!);
    expect(lines.find((line) => line.startsWith('click, affine'))).toContain(`${Math.min(...ratios).toFixed(3)} … ${Math.max(...ratios).toFixed(3)}`);
    const shown = lines.join('\n');
    expect(shown).toMatch(/^training +39\.1 TFLOPs +28\.7 TFLOPs +0\.73×$/mu);
    expect(shown).toMatch(/^median latency, search, measured +0\.980 ms +1\.27 ms +1\.30×$/mu);
    const checks = complete.stages.flatMap((stage) => stage.checks).length;
    expect(shown).toContain(`gates  9 stages, ${checks} limits kept, 0 broken`);
    expect(shown).toMatch(/^search +unify\/exports\/search +5\.51 MB +fp16 +fp32 +6\.2e-6$/mu);
  });

  it('leads with the failed gate of a stopped plan, and says what was found', () => {
    const shown = linesOf(summaryTable(stoppedReport()));
    expect(shown[0]).toBe('Stopped at surface-aware: search failed the quality limit');
    expect(shown.join(' ').replaceAll(/\s+/gu, ' ')).toContain(`✕ surface-aware: ${stoppedReport().outcome.failures[0]!}`);
  });
});
