import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Calibration } from '../../calibrate/calibration.js';
import type { UnifyPlan } from '../../config/unify-plan.js';
import { openDataset } from '../../data/dataset.js';
import { latestSplit } from '../../data/latest-split.js';
import { exportSurface } from '../../export/export-surface.js';
import type { ExportManifest } from '../../export/manifest.js';
import { checkpointOf } from '../model-run.js';
import { openRuns } from '../score-model.js';
import type { PathContext } from './context.js';
import type { ServingMeasure, ServingTask } from './measure-serving.js';
import type { PlanRun } from './plan-run.js';

/** What a run's surfaces are served with: a file set each, and what scoring with it takes. */
export interface ServingProfile extends ServingMeasure {
  /** Bytes of each surface's export. */
  readonly bytes: Readonly<Record<string, number>>;
}

const MEASURE = fileURLToPath(new URL('./measure-serving.js', import.meta.url));
const REQUESTS = 200;
/** Enough to see that a profile's export is right: the exports that stay are replayed in full. */
const REPLAYED = 2000;

export const exportBytes = ({ files }: Pick<ExportManifest, 'files'>): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

export interface ExportRunOptions extends Partial<UnifyPlan['export']> {
  readonly calibration?: Calibration | undefined;
  readonly replayCandidates?: number;
  /** Folder of a surface's export. */
  readonly directoryOf: (surface: string) => string;
}

/** Writes the exports of a run's surfaces, parity-checked. */
export const exportRun = async (context: PathContext, { model, run, summary }: PlanRun, options: ExportRunOptions): Promise<Readonly<Record<string, ExportManifest>>> => {
  const { project, manifest, prepared, signal, onWork } = context;
  const { calibration, replayCandidates, directoryOf, tables = 'fp32', dense = 'fp32' } = options;
  const opened = await openRuns(project, manifest, [{ model, run }]);
  const written: Record<string, ExportManifest> = {};
  try {
    for (const surface of run.surfaces) {
      onWork(`export ${summary.name} for ${surface}`);
      const dataset = await openDataset(prepared, manifest, latestSplit(manifest, surface), {
        tasks: manifest.tasks.map(({ name }) => name),
        surfaces: [manifest.encoders.surfaces.indexOf(surface)],
        batchCandidates: model.training.batchSize,
      });
      written[surface] = await exportSurface({
        project,
        model,
        manifest,
        preparedDirectory: prepared,
        surface,
        group: opened.groups[0]!,
        checkpoint: checkpointOf(run),
        dataset,
        precision: tables,
        dense,
        directory: directoryOf(surface),
        metrics: {},
        ...(calibration === undefined ? {} : { calibration }),
        ...(replayCandidates === undefined ? {} : { replayCandidates }),
        ...(signal === undefined ? {} : { signal }),
      }).finally(() => dataset.close());
    }
  } finally {
    await opened.close();
  }
  return written;
};

/** Scores requests with exports in a process of its own. */
export const measureServing = async (context: PathContext, exports: Readonly<Record<string, string>>): Promise<ServingMeasure> => {
  const task: ServingTask = { prepared: context.prepared, exports, requests: REQUESTS };
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', MEASURE, JSON.stringify(task)], context.signal === undefined ? {} : { signal: context.signal });
  return JSON.parse(stdout) as ServingMeasure;
};

/** What serving a run takes; measured once. */
export const servingProfile = (context: PathContext, run: PlanRun): Promise<ServingProfile> =>
  context.memo.json('serving', run.key, async () => {
    const folder = join(context.workspace, 'profiles', run.key.slice(0, 24));
    const directoryOf = (surface: string): string => join(folder, surface);
    try {
      const written = await exportRun(context, run, { directoryOf, replayCandidates: REPLAYED });
      context.onWork(`measure ${run.summary.name}`);
      const measured = await measureServing(context, Object.fromEntries(run.run.surfaces.map((surface) => [surface, directoryOf(surface)])));
      return { bytes: Object.fromEntries(Object.entries(written).map(([surface, manifest]) => [surface, exportBytes(manifest)])), ...measured };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
