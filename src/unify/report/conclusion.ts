/** What a report says in a sentence: the page's and the terminal's headline. */
import type { SliceComparison } from '../../evaluate/comparison.js';
import type { GateCheck, StageReport, UnifyReport } from '../report.js';
import type { Tone } from './marks.js';
import { capital, counted, distinct, listed } from './words.js';

export interface Conclusion {
  readonly tone: Tone;
  readonly title: string;
  /** The sentence below it. */
  readonly lead: string;
  /** Limits that were broken, in words, with their stage. */
  readonly failures: readonly { readonly stage: string; readonly overruled: boolean; readonly checks: readonly GateCheck[] }[];
}

/** Stages whose champion a report ends with. */
const isModel = ({ stage, status }: StageReport): boolean => stage !== 'separate' && stage !== 'profile' && status !== 'failed';

/** Label of the last stage whose model was taken; undefined while the separate models stand. */
const lastGood = ({ stages }: UnifyReport): string | undefined => stages.findLast(isModel)?.label;

/** The first task's surfaces in the final comparison. */
export const judgedSurfaces = ({ comparison, tasks }: UnifyReport): readonly SliceComparison[] => {
  if (comparison === null) return [];
  return (comparison.tasks.find(({ task }) => task === tasks[0]) ?? comparison.tasks[0])?.surfaces ?? [];
};

/** How many models stood for the surfaces before, and how many do now. */
export const modelCounts = ({ costs, surfaces }: UnifyReport): { readonly before: number; readonly after: number | null } => ({
  before: costs.find(({ name }) => name === 'separate')?.models ?? surfaces.length,
  after: costs.find(({ name }) => name === 'unified')?.models ?? null,
});

const verdictsText = (judged: readonly SliceComparison[]): { readonly tone: Tone; readonly text: string } => {
  const named = (verdict: string): readonly string[] => judged.filter(({ metrics }) => metrics.auc?.verdict === verdict).map(({ name }) => name);
  const [better, worse] = [named('better'), named('worse')];
  const rest = judged.length - better.length - worse.length;
  if (better.length === judged.length) return { tone: 'good', text: judged.length === 1 ? `better on ${better[0]!}` : 'better on every surface' };
  const parts = [
    ...(better.length === 0 ? [] : [`better on ${listed(better)}`]),
    ...(worse.length === 0 ? [] : [`worse on ${listed(worse)}`]),
    ...(rest === 0 ? [] : [better.length + worse.length === 0 ? 'no difference shown on any surface' : `no difference shown on ${counted(rest, 'surface')}`]),
  ];
  return { tone: worse.length === 0 ? 'mixed' : 'bad', text: listed(parts) };
};

const failuresOf = ({ stages }: UnifyReport): Conclusion['failures'] =>
  stages.flatMap(({ label, status, checks }) => (status === 'passed' ? [] : [{ stage: label, overruled: status === 'continued', checks: checks.filter(({ passed }) => !passed) }]));

/** What broke, with the surfaces it broke on: the most useful words of a stopped plan. */
const brokenText = (broken: readonly GateCheck[]): string => {
  const limits = distinct(broken.map(({ limit }) => limit));
  const places = distinct(broken.flatMap(({ surface }) => (surface === undefined ? [] : [surface])));
  if (limits.length === 0) return 'its gate failed';
  if (limits.length === 1 && limits[0] === 'chance') return `${listed(places)} ${places.length === 1 ? 'is' : 'are'} not shown to be above chance`;
  const limit = `${listed(limits)} ${limits.length === 1 ? 'limit' : 'limits'}`;
  return places.length === 0 ? `the ${limit} failed` : `${listed(places)} failed the ${limit}`;
};

const stoppedConclusion = (report: UnifyReport): Pick<Conclusion, 'title' | 'lead' | 'tone'> => {
  const { outcome, stages } = report;
  const stopped = stages.find(({ label, status }) => label === outcome.stage && status === 'failed');
  const good = lastGood(report);
  return {
    tone: 'bad',
    title: `Stopped at ${outcome.stage ?? 'a gate'}: ${brokenText(stopped?.checks.filter(({ passed }) => !passed) ?? [])}`,
    lead: good === undefined ? 'Nothing is unified yet: the separate models stand.' : `The last good stage, ${good}, is the result; the stages after it were not run.`,
  };
};

const reachedConclusion = (report: UnifyReport): Pick<Conclusion, 'title' | 'lead' | 'tone'> => {
  const judged = judgedSurfaces(report);
  const { before, after } = modelCounts(report);
  const one = after === null || after === 1 ? 'One model' : capital(counted(after, 'model'));
  const verb = after === null || after === 1 ? 'replaces' : 'replace';
  if (judged.length === 0) return { tone: 'plain', title: `${one} for ${counted(report.surfaces.length, 'surface')}`, lead: 'There is nothing to hold it against.' };
  const { tone, text } = verdictsText(judged);
  const task = report.tasks[0] ?? '';
  return {
    tone: report.outcome.status === 'continued' ? (tone === 'good' ? 'mixed' : tone) : tone,
    title: `${one} ${verb} ${before}: ${text}`,
    lead: `By the AUC of ${task} on held-out traffic that neither training nor calibration saw, against the surfaces' separate models.`,
  };
};

/** The report in a sentence, and what speaks against it. */
export const conclude = (report: UnifyReport): Conclusion => ({
  ...(report.outcome.status === 'stopped' ? stoppedConclusion(report) : reachedConclusion(report)),
  failures: failuresOf(report),
});

/** All checks of a report's gates. */
export const checkCounts = ({ stages }: UnifyReport): { readonly passed: number; readonly failed: number } => {
  const checks = stages.flatMap((stage) => stage.checks);
  const passed = checks.filter((check) => check.passed).length;
  return { passed, failed: checks.length - passed };
};
