import type { UnifyReport } from '../report.js';
import type { Html } from './html.js';

/** A part of the report with a heading and an entry in the contents. */
export interface Section {
  /** Anchor: letters and hyphens. */
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** Null where a report has nothing to show of it. */
export type SectionOf = (report: UnifyReport) => Section | null;
