/** Layers in use with a correction fitted on what they give: a straight line of their logits. */
import type { CalibrationMethod } from '../config/unify-plan.js';
import { lineAfter } from './apply-layer.js';
import type { CalibrationLayer, TaskCalibration } from './calibration.js';
import type { NamedLayers } from './name-layers.js';
import type { Group } from './task-rows.js';

/** Methods whose layers are straight lines: a line of any layer is a layer of the same form. */
export const LINES: readonly CalibrationMethod[] = ['identity', 'shift', 'temperature', 'affine'];

/** What a layer is called after a correction. */
export const correctedMethod = (correction: CalibrationMethod, present: CalibrationMethod): CalibrationMethod => {
  if (correction === 'identity' || !LINES.includes(present)) return present;
  return present === 'identity' || present === correction ? correction : 'affine';
};

/** The surface of a view type, by its name `surface/view type`. */
const surfaceOf = (viewType: string): string => viewType.slice(0, viewType.indexOf('/'));

/**
 * The layers in use, each corrected by its own group's line; by its surface's, or that of the whole, where its group had no rows.
 * What had rows but no layer has its surface's, corrected by its own line.
 *
 * @param lines by place of the group
 */
export const correctLayers = (present: TaskCalibration, groups: readonly Group[], lines: readonly CalibrationLayer[]): NamedLayers => {
  const lineOf = (level: 1 | 2, name: string): CalibrationLayer | undefined => lines[groups.findIndex((group) => group.level === level && group.name === name)];
  const surfaceLine = (surface: string): CalibrationLayer => lineOf(1, surface) ?? lines[0]!;
  const surfaces = { ...present.surfaces };
  const viewTypes = { ...present.viewTypes };
  for (const { level, name, surface } of groups) {
    if (level === 1) surfaces[name] ??= present.global;
    if (level === 2) viewTypes[name] ??= present.surfaces[surface] ?? present.global;
  }
  const corrected = (layers: Readonly<Record<string, CalibrationLayer>>, line: (name: string) => CalibrationLayer): Record<string, CalibrationLayer> =>
    Object.fromEntries(Object.entries(layers).map(([name, layer]) => [name, lineAfter(line(name), layer)]));
  return {
    viewTypes: corrected(viewTypes, (name) => lineOf(2, name) ?? surfaceLine(surfaceOf(name))),
    surfaces: corrected(surfaces, surfaceLine),
  };
};
