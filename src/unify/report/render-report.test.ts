import { describe, expect, it } from 'vitest';
import { readHtml } from '../../../test/support/html-check.js';
import { completeReport, minimalReport, stoppedAtOnceReport, stoppedReport } from '../../../test/support/unify-report.js';
import type { UnifyReport } from '../report.js';
import { renderReport } from './render-report.js';

const complete = completeReport();
const page = renderReport(complete);
const { text, tags } = readHtml(page);

const VARIANTS: Readonly<Record<string, UnifyReport>> = { complete, stopped: stoppedReport(), 'stopped at once': stoppedAtOnceReport(), minimal: minimalReport() };

const unsigned = (value: number | null | undefined, digits = 4): string => Math.abs(value!).toFixed(digits);

/** Text of one section. */
const sectionText = (markup: string, id: string): string => {
  const found = new RegExp(`<section id="${id}".*?</section>`, 'su').exec(markup)?.[0];
  if (found === undefined) throw new Error(`no section ${id}`);
  return readHtml(`<!DOCTYPE html>${found}`).text;
};

describe.each(Object.entries(VARIANTS))('the report of a %s plan', (_, report) => {
  const markup = renderReport(report);
  const read = readHtml(markup);

  it('is well-formed and loads nothing', () => {
    expect(read.tags).not.toEqual(expect.arrayContaining(['script']));
    expect(read.tags.filter((tag) => ['link', 'img', 'iframe', 'object', 'form'].includes(tag))).toEqual([]);
    expect(markup).not.toMatch(/https?:|@import|url\((?!#)|src=/u);
  });

  it('has ids of its own, and contents that lead to them', () => {
    expect(new Set(read.ids).size).toBe(read.ids.length);
    const targets = [...markup.matchAll(/href="#([^"]+)"/gu)].map(([, target]) => target!);
    expect(targets.length).toBeGreaterThan(2);
    for (const target of targets) expect(read.ids).toContain(target);
  });

  it('has no hole where a number should be', () => {
    expect(read.text).not.toMatch(/undefined|NaN|\[object|Infinity/u);
  });

  it('is the same bytes again, as from its JSON', () => {
    expect(renderReport(JSON.parse(JSON.stringify(report)) as UnifyReport)).toBe(markup);
  });
});

describe('the report of a complete plan', () => {
  it('leads with the conclusion', () => {
    expect(/<h1>(.*?)<\/h1>/u.exec(page)![1]).toBe('One model replaces 3: better on every surface');
    expect(tags.filter((tag) => tag === 'h1')).toHaveLength(1);
    const head = text.slice(0, text.indexOf('Quality, before and after'));
    for (const { name, metrics } of complete.comparison!.tasks[0]!.surfaces) expect(head).toContain(`${name}: AUC of click +${unsigned(metrics.auc!.difference)} ▲ better`);
    // 28.7 over 39.1 TFLOPs, 17.034 over 26.21 MB.
    expect(head).toMatch(/Training cost, FLOPs 0\.73× 39\.1 TFLOPs → 28\.7 TFLOPs/u);
    expect(head).toMatch(/Size of all exports 0\.65×/u);
    expect(head).toMatch(/Models 3 → 1/u);
  });

  it('has quality per surface and task with intervals and verdicts', () => {
    const quality = sectionText(page, 'quality');
    for (const { overall, surfaces } of complete.comparison!.tasks) {
      for (const { name, metrics, a, b } of [overall, ...surfaces]) {
        expect(quality).toContain(name);
        const { auc, ne } = metrics;
        expect(quality).toContain(`AUC ${unsigned(auc!.a)} ${unsigned(auc!.b)} +${unsigned(auc!.difference)} [+${unsigned(auc!.interval!.low)}, +${unsigned(auc!.interval!.high)}] ▲ better`);
        expect(quality).toContain(`NE ${unsigned(ne!.a)} ${unsigned(ne!.b)} −${unsigned(ne!.difference)}`);
        expect(quality).toContain(`calibration ${unsigned(a.calibrationRatio, 3)} ${unsigned(b.calibrationRatio, 3)}`);
      }
    }
  });

  it('has the order, its reason and the profile', () => {
    const order = sectionText(page, 'order');
    expect(order).toContain(complete.order.reason);
    expect(order).toContain('home_feed and search related_pins');
    expect(order).toContain('search 10.4 30.0 187 kFLOPs 14.0 TFLOPs 2.01 M 8.31 MB 47.2 s 0.980 ms 2.31 ms');
    expect(order).toContain('measured on one machine');
  });

  it('has every stage with its status, checks, runs, trials and ablations', () => {
    const path = sectionText(page, 'path');
    for (const { label, summary, checks, runs } of complete.stages) {
      expect(path).toContain(label);
      expect(path).toContain(summary);
      for (const check of checks) expect(path).toContain(check.text);
      for (const { name } of runs) expect(path).toContain(name);
    }
    expect(path).toContain('training.learningRate 0.001, mlpDropout 0.1 100 % 0.31544 ✓ chosen');
    expect(path).toContain('Transformer alone (training 21.0 TFLOPs), against baseline:');
  });

  it('has calibration per view type, before, with one layer and after, and against the truth', () => {
    const calibration = sectionText(page, 'calibration');
    const { before, global, after, truth } = complete.calibration!;
    after.tasks.forEach(({ viewTypes }, task) => {
      viewTypes.forEach(({ name }, place) => {
        const slices = [before, global, after].map((version) => version.tasks[task]!.viewTypes[place]!);
        const row = slices.map(({ metrics, intervals }) => `${unsigned(metrics.calibrationRatio, 3)} [${unsigned(intervals!.calibrationRatio!.low, 3)}, ${unsigned(intervals!.calibrationRatio!.high, 3)}]`).join(' ');
        expect(calibration).toContain(row);
        expect(calibration).toContain(`${name} `);
        expect(calibration).toContain(`ECE ${slices.map(({ metrics }) => unsigned(metrics.ece)).join(' → ')}`);
      });
    });
    for (const { viewType, before: off } of truth) expect(calibration).toContain(`${viewType} click 1234 ${unsigned(off, 3)}`);
    expect(calibration).toContain('+0.005090 [+0.004120, +0.006010] ▲ better');
    expect([...page.matchAll(/<svg[^>]*viewBox="0 0 300 250"/gu)]).toHaveLength(14);
  });

  it('has training curves of every run and task, and the step that was kept', () => {
    const runs = complete.stages.flatMap((stage) => stage.runs);
    const training = sectionText(page, 'training');
    for (const { name } of runs) expect(training).toContain(name);
    expect(training.match(/kept step 1000/gu)).toHaveLength(2 * runs.length);
  });

  it('has costs of many models against one, and says what a clock made', () => {
    const cost = sectionText(page, 'cost');
    expect(cost).toContain('parameters 6.04 M 3.31 M 0.55×');
    expect(cost).toContain('scoring a candidate 171 kFLOPs 193 kFLOPs 1.13×');
    expect(cost).toContain('training time * 2 min 21 s 1 min 57 s 0.83×');
    expect(cost).toContain('scoring memory * 181 MB 142 MB 0.78×');
    expect(cost).toContain('search: 99th percentile latency * 2.31 ms 2.77 ms 1.20×');
    expect(cost).toContain('* measured on one machine');
  });

  it('has feature coverage and importance by side', () => {
    const features = sectionText(page, 'features');
    expect(features).toContain('query categorical absent 100 % absent');
    expect(features).toContain('image_embedding vector 88 % 0.4 % 86 %');
    expect(features).toContain('home_feed user_id request click +0.03120 +1.56 %');
    expect(features.match(/candidate side/gu)!.length).toBeGreaterThan(3);
  });

  it('has what is lost without a surface, and the exports', () => {
    const lost = sectionText(page, 'leave-one-out');
    for (const { without, quality } of complete.leaveOneOut) {
      expect(lost).toContain(`Without ${without}`);
      for (const { champion, challenger } of quality) expect(lost).toContain(`${unsigned(champion)} ${unsigned(challenger)}`);
    }
    expect(sectionText(page, 'exports')).toContain('search unify/exports/search 5.51 MB 30 fp16 fp32 6.2e-6 0.000001');
  });

  it('shows names that would be markup as text', () => {
    const surfaces = ['<script>alert(1)</script>', `a"b'c`, '{a|x}&lt;'];
    const hostile = renderReport(completeReport({ project: '</title><script>', surfaces, tasks: ['</svg><img src=x>', 'b'] }));
    const read = readHtml(hostile);
    expect(read.tags).not.toEqual(expect.arrayContaining(['script']));
    expect(read.tags).not.toEqual(expect.arrayContaining(['img']));
    for (const name of [...surfaces, '</title><script>', '</svg><img src=x>']) expect(read.text).toContain(name);
  });
});

describe('the report of a stopped plan', () => {
  const stopped = renderReport(stoppedReport());

  it('leads with the gate that failed, the surface and what was found', () => {
    expect(/<h1>(.*?)<\/h1>/u.exec(stopped)![1]).toBe('Stopped at surface-aware: search failed the quality limit');
    const head = /<header.*?<\/header>/su.exec(stopped)![0];
    expect(readHtml(`<!DOCTYPE html>${head}`).text).toContain(`surface-aware failed its gate, and stopped the plan: ✕ ${stoppedReport().outcome.failures[0]!}`);
  });

  it('leaves out what there is none of', () => {
    expect(readHtml(stopped).ids).not.toEqual(expect.arrayContaining(['calibration']));
    expect(readHtml(renderReport(stoppedAtOnceReport())).ids.filter((id) => ['quality', 'order', 'calibration', 'exports', 'leave-one-out'].includes(id))).toEqual([]);
  });
});
