/** Which model answers for which surface: a champion, or what wants to take its place. */
import type { Calibration } from '../../calibrate/calibration.js';
import { contentKey } from './memo.js';
import type { PlanRun } from './plan-run.js';

export interface System {
  readonly name: string;
  /** Each surface is in one of them, but for those of the outside model. */
  readonly runs: readonly PlanRun[];
  /** Surfaces whose predictions are an outside model's, from a column of the logs. */
  readonly outside: readonly string[];
  readonly calibration: Calibration | undefined;
}

/** Surfaces that a system answers for. */
export const surfacesOf = ({ runs, outside }: System): readonly string[] => [...runs.flatMap(({ run }) => run.surfaces), ...outside];

/** The run that answers for a surface; undefined for one of the outside model's. */
export const runOf = ({ runs }: System, surface: string): PlanRun | undefined => runs.find(({ run }) => run.surfaces.includes(surface));

/** The system in which a run answers for its surfaces; those that it replaces lose all of theirs to it. */
export const withRun = (system: System, name: string, run: PlanRun): System => {
  const own = new Set(run.run.surfaces);
  return {
    name,
    runs: [run, ...system.runs.filter(({ run: { surfaces } }) => !surfaces.some((surface) => own.has(surface)))],
    outside: system.outside.filter((surface) => !own.has(surface)),
    calibration: undefined,
  };
};

/** Identity of a system's uncalibrated predictions of some surfaces. */
export const systemKey = (system: System, surfaces: readonly string[]): string =>
  contentKey({ runs: system.runs.filter(({ run }) => run.surfaces.some((surface) => surfaces.includes(surface))).map(({ key }) => key), outside: system.outside.filter((surface) => surfaces.includes(surface)), surfaces });
