import type { LeaveOneOut } from '../report.js';
import type { PathContext } from './context.js';
import { compareSystems } from './judge.js';
import { trainPlanRun, type PlanRun } from './plan-run.js';
import { qualityCells } from './quality.js';
import type { System } from './system.js';

const alone = (name: string, run: PlanRun): System => ({ name, runs: [run], outside: [], calibration: undefined });

/** Trains the final model once more without each of its surfaces, and compares the others with it. Uncalibrated, both. */
export const leaveOneOut = async (context: PathContext, final: PlanRun): Promise<readonly LeaveOneOut[]> => {
  const { surfaces } = final.run;
  const found: LeaveOneOut[] = [];
  for (const without of surfaces) {
    const others = surfaces.filter((surface) => surface !== without);
    const name = `without ${without}`;
    const run = await trainPlanRun(context, { name, model: final.model, surfaces: others });
    found.push({ without, quality: qualityCells(await compareSystems(context, alone('all surfaces', final), alone(name, run), others)) });
  }
  return found;
};
