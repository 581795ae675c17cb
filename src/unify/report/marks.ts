/** Judgements in words with a sign, so that no colour has to be told apart. */
import type { Verdict } from '../../evaluate/comparison.js';
import type { StageReport } from '../report.js';
import { html, type Html } from './html.js';
import { UNKNOWN } from './numbers.js';

export type Tone = 'good' | 'bad' | 'mixed' | 'plain';

export const mark = (tone: Tone, text: string): Html => html`<span class="mark ${tone}">${text}</span>`;

const VERDICTS: Readonly<Record<Verdict, { readonly tone: Tone; readonly sign: string }>> = {
  better: { tone: 'good', sign: '▲' },
  worse: { tone: 'bad', sign: '▼' },
  'no difference': { tone: 'plain', sign: '≈' },
};

/** What an interval says; `words` may say it another way. */
export const verdictMark = (verdict: Verdict | null | undefined, words: Readonly<Partial<Record<Verdict, string>>> = {}): Html =>
  verdict === null || verdict === undefined ? html`${UNKNOWN}` : mark(VERDICTS[verdict].tone, `${VERDICTS[verdict].sign} ${words[verdict] ?? verdict}`);

export const passedMark = (passed: boolean): Html => (passed ? mark('good', '✓ kept') : mark('bad', '✕ broken'));

const STATUSES: Readonly<Record<StageReport['status'], { readonly tone: Tone; readonly text: string }>> = {
  passed: { tone: 'good', text: '✓ passed' },
  failed: { tone: 'bad', text: '✕ failed' },
  continued: { tone: 'mixed', text: '! failed, overruled' },
};

export const statusMark = (status: StageReport['status']): Html => mark(STATUSES[status].tone, STATUSES[status].text);

/** Beside everything that a clock made. */
export const MEASURED: Html = html`<span class="measured">measured on one machine</span>`;
