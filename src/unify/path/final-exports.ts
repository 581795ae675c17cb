import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { explainIoFailure } from '../../data/io-failure.js';
import { EXPORT_FILES, type ExportManifest } from '../../export/manifest.js';
import type { ExportSummary } from '../report.js';
import type { PathContext } from './context.js';
import { contentKey } from './memo.js';
import type { ServingMeasure } from './measure-serving.js';
import { exportBytes, exportRun, measureServing } from './serving-profile.js';
import type { System } from './system.js';

/** The exports that a plan ends with. */
export interface FinalExports {
  readonly summaries: readonly ExportSummary[];
  readonly measured: ServingMeasure;
}

/** Folder of a surface's export. */
export const exportDirectory = ({ workspace }: PathContext, surface: string): string => join(workspace, 'exports', surface);

const summarize = (context: PathContext, surface: string, manifest: ExportManifest): ExportSummary => ({
  surface,
  directory: relative(context.project.workspace, exportDirectory(context, surface)),
  bytes: exportBytes(manifest),
  tables: manifest.precision,
  dense: manifest.dense,
  maxDifference: manifest.parity.maxDifference,
  aucLoss: Math.max(0, ...Object.values(manifest.parity.aucLoss)),
  features: manifest.source.features.length,
});

interface Written extends FinalExports {
  /** Hash of each export's manifest, which vouches for its other files. */
  readonly manifests: Readonly<Record<string, string>>;
}

const manifestHash = (context: PathContext, surface: string): string | undefined => {
  const path = join(exportDirectory(context, surface), EXPORT_FILES.manifest);
  try {
    return existsSync(path) ? contentKey(readFileSync(path, 'utf8')) : undefined;
  } catch (cause) {
    throw explainIoFailure(cause, path);
  }
};

/** Exports every surface of a system with its calibration, and measures what scoring with them takes. */
export const exportFinal = async (context: PathContext, system: System): Promise<FinalExports> => {
  const inputs = [system.runs.map(({ key }) => key), system.calibration ?? null, context.plan.export];
  const write = async (): Promise<Written> => {
    const summaries: ExportSummary[] = [];
    for (const run of system.runs) {
      const written = await exportRun(context, run, { ...context.plan.export, calibration: system.calibration, directoryOf: (surface) => exportDirectory(context, surface) });
      summaries.push(...Object.entries(written).map(([surface, manifest]) => summarize(context, surface, manifest)));
    }
    context.onWork('measure the exports');
    const directories = Object.fromEntries(summaries.map(({ surface }) => [surface, exportDirectory(context, surface)]));
    const order = context.project.surfaces.map(({ name }) => name);
    return {
      summaries: summaries.toSorted((a, b) => order.indexOf(a.surface) - order.indexOf(b.surface)),
      measured: await measureServing(context, directories),
      manifests: Object.fromEntries(summaries.map(({ surface }) => [surface, manifestHash(context, surface)!])),
    };
  };
  const kept = await context.memo.json('exports', inputs, write);
  const isThere = Object.entries(kept.manifests).every(([surface, hash]) => manifestHash(context, surface) === hash);
  // Another plan's exports may have taken their place: these are written again, what was measured stays.
  return isThere ? kept : { ...(await write()), measured: kept.measured };
};
