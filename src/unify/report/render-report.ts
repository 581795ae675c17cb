import type { UnifyReport } from '../report.js';
import { page } from './page.js';
import type { Section, SectionOf } from './section.js';
import { calibrationSection } from './sections/calibration.js';
import { costSection } from './sections/cost.js';
import { dataSection } from './sections/data.js';
import { exportsSection } from './sections/exports.js';
import { featuresSection } from './sections/features.js';
import { headline } from './sections/headline.js';
import { leaveOneOutSection } from './sections/leave-one-out.js';
import { orderSection } from './sections/order.js';
import { pathSection } from './sections/path.js';
import { qualitySection } from './sections/quality.js';
import { trainingSection } from './sections/training.js';

/** In the order a reader asks: is it better, what does it cost, how was it done, can it be trusted, what is in it. */
const SECTIONS: readonly SectionOf[] = [
  qualitySection,
  costSection,
  orderSection,
  pathSection,
  calibrationSection,
  trainingSection,
  featuresSection,
  leaveOneOutSection,
  exportsSection,
  dataSection,
];

/**
 * The report of a plan as one HTML file: no script, nothing loaded from elsewhere, readable on a phone and printable. The same
 * report gives the same bytes.
 */
export const renderReport = (report: UnifyReport): string => {
  const sections = SECTIONS.flatMap((sectionOf): readonly Section[] => {
    const section = sectionOf(report);
    return section === null ? [] : [section];
  });
  return page(`${report.project}: unification report`, headline(report), sections, 'Made by onefold unify. The same numbers stand in report.json, beside this file.').markup;
};
