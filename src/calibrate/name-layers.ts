import type { CalibrationLayer, TaskCalibration } from './calibration.js';
import type { TaskRows } from './task-rows.js';

/** Layers of view types and surfaces, by their names. */
export type NamedLayers = Pick<TaskCalibration, 'viewTypes' | 'surfaces'>;

/** @param layers by place of the group */
export const nameLayers = ({ groups }: Pick<TaskRows, 'groups'>, layers: readonly CalibrationLayer[]): NamedLayers => {
  const ofLevel = (level: 1 | 2): Record<string, CalibrationLayer> => Object.fromEntries(groups.flatMap((group, place) => (group.level === level ? [[group.name, layers[place]!]] : [])));
  return { viewTypes: ofLevel(2), surfaces: ofLevel(1) };
};
