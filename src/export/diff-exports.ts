import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DataError, UsageError } from '../config/errors.js';
import { stopIfAborted } from '../config/interruption.js';
import { explainIoFailure } from '../data/io-failure.js';
import { diffCalibrations, type CalibrationDiff } from './diff-calibration.js';
import { diffPredictions, type PredictionDiff } from './diff-predictions.js';
import { diffSchemas, type SchemaDiff } from './diff-schema.js';
import { diffTables, storedTables, type TableDiff } from './diff-tables.js';
import { eventFiles } from './event-files.js';
import { digestOf, EXPORT_FILES, type ExportManifest } from './manifest.js';
import { openExport, type OpenExport } from './open-export.js';
import { joinedSequences } from './raw-schema.js';

/** What an export is. */
export interface DiffedExport extends Pick<ExportManifest, 'model' | 'surface' | 'precision' | 'dense' | 'rows' | 'lineage'> {
  readonly directory: string;
  /** Digest of its manifest, which vouches for its files. */
  readonly digest: string;
}

/** Plain JSON. */
export interface ExportDiff {
  readonly a: DiffedExport;
  readonly b: DiffedExport;
  /** They are the same, byte for byte. */
  readonly isSame: boolean;
  readonly schema: SchemaDiff;
  readonly tables: readonly TableDiff[];
  readonly calibration: readonly CalibrationDiff[];
  /** Bytes of each file; null where one does not have it. */
  readonly sizes: readonly { readonly file: string; readonly a: number | null; readonly b: number | null }[];
  /** Null where golden rows of `a` lack what `b` reads: see `notScored`. */
  readonly predictions: PredictionDiff | null;
  readonly notScored: string | null;
}

export interface DiffOptions {
  /** Folders of two exports of one surface. */
  readonly a: string;
  readonly b: string;
  /** Raw rows, as `predict` reads them. Default: the golden rows of `a`. */
  readonly rows?: string | undefined;
  /** Files with the events of sequences that training joined, by sequence. */
  readonly events?: Readonly<Record<string, string>>;
  readonly onProgress?: (candidates: number) => void;
  readonly signal?: AbortSignal;
}

const describe = ({ directory, manifest }: OpenExport): DiffedExport => {
  const { model, surface, precision, dense, rows, lineage } = manifest;
  return { directory, model, surface, precision, dense, rows, lineage, digest: digestOf(manifest) };
};

const sizesOf = async ({ directory, manifest }: OpenExport): Promise<ReadonlyMap<string, number>> => {
  const path = join(directory, EXPORT_FILES.manifest);
  const { size } = await stat(path).catch((cause: unknown) => {
    throw explainIoFailure(cause, path);
  });
  return new Map([...manifest.files.map((file): [string, number] => [file.path, file.bytes]), [EXPORT_FILES.manifest, size]]);
};

const diffSizes = async (a: OpenExport, b: OpenExport): Promise<ExportDiff['sizes']> => {
  const [before, after] = [await sizesOf(a), await sizesOf(b)];
  return [...new Set([...before.keys(), ...after.keys()])].map((file) => ({ file, a: before.get(file) ?? null, b: after.get(file) ?? null }));
};

/** The event files that an export joins; one that the other alone knows is not for it. */
const eventsOf = (own: OpenExport, other: OpenExport, events: Readonly<Record<string, string>>): Readonly<Record<string, string>> => {
  const names = ({ manifest }: OpenExport): readonly string[] => joinedSequences(manifest.source).map(({ name }) => name);
  const isOthers = (name: string): boolean => !names(own).includes(name) && names(other).includes(name);
  return eventFiles(own.manifest.source, Object.fromEntries(Object.entries(events).filter(([name]) => !isOthers(name))));
};

const scoreBoth = async (a: OpenExport, b: OpenExport, options: DiffOptions): Promise<Pick<ExportDiff, 'predictions' | 'notScored'>> => {
  const { rows, events = {}, onProgress, signal } = options;
  const file = rows === undefined ? resolve(a.directory, EXPORT_FILES.golden) : resolve(rows);
  const stopIfAsked = (): void => {
    stopIfAborted(signal, 'comparing was interrupted', file);
  };
  try {
    const predictions = await diffPredictions([a, b], { file, directory: process.cwd(), stopIfAsked, onProgress }, [eventsOf(a, b, events), eventsOf(b, a, events)]);
    return { predictions, notScored: null };
  } catch (error) {
    // Nobody asked for these rows: that the other export wants more of them is a difference too.
    if (rows === undefined && error instanceof DataError) return { predictions: null, notScored: error.message };
    throw error;
  }
};

/**
 * Compares two exports of a surface: what they read, their tables, calibration and size, and what they predict for the same rows.
 *
 * @throws ArtifactError when one is torn; UsageError when they are of two surfaces; DataError when the rows do not fit
 */
export const diffExports = async (options: DiffOptions): Promise<ExportDiff> => {
  const opened: OpenExport[] = [];
  try {
    for (const directory of [options.a, options.b]) opened.push(await openExport(directory));
    const [a, b] = opened as [OpenExport, OpenExport];
    if (a.manifest.surface !== b.manifest.surface) {
      throw new UsageError(`these are exports of two surfaces: ${a.manifest.surface} and ${b.manifest.surface}`, {
        where: options.b,
        expected: `an export of ${a.manifest.surface}`,
        fix: 'compare exports of one surface',
      });
    }
    const [tablesOfA, tablesOfB] = [await storedTables(a.directory), await storedTables(b.directory)];
    const [of, to] = [describe(a), describe(b)];
    return {
      a: of,
      b: to,
      isSame: of.digest === to.digest,
      schema: diffSchemas(a, b),
      tables: diffTables({ encoders: a.encoders, tables: tablesOfA }, { encoders: b.encoders, tables: tablesOfB }),
      calibration: diffCalibrations(a, b),
      sizes: await diffSizes(a, b),
      ...(await scoreBoth(a, b, options)),
    };
  } finally {
    for (const one of opened) await one.close();
  }
};
