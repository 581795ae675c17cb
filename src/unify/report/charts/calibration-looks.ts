import type { LegendEntry } from './figure.js';
import { BLUE, ORANGE, PURPLE } from './palette.js';

/** Predictions before calibration, with one layer for all rows, and with a layer per view type. */
export const CALIBRATION_LOOKS: Readonly<Record<'before' | 'global' | 'after', LegendEntry>> = {
  before: { name: 'before', look: { color: ORANGE, shape: 'triangle', dash: 'dashed' }, line: true },
  global: { name: 'one layer for all', look: { color: PURPLE, shape: 'diamond', dash: 'dotted' }, line: true },
  after: { name: 'a layer per view type', look: { color: BLUE, shape: 'circle' }, line: true },
};
