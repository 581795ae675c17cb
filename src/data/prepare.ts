/** Turns the logs of all surfaces into a prepared dataset: read, check, merge, split, encode, write, all or nothing. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ArtifactError, DataError, MergeError } from '../config/errors.js';
import { stopIfAborted } from '../config/interruption.js';
import type { Project } from '../config/project.js';
import { createQuarantine, QUARANTINE, settleBadRows, type BadRowCount } from './bad-rows.js';
import { openDatabase, quoteLiteral, type Database } from './duckdb.js';
import { fingerprintSources, verifyCompressed, type SourceFingerprint } from './fingerprint.js';
import { fitEncoders } from './fit-encoders.js';
import { eventSequences, ingestEvents } from './history.js';
import { loadPrepared, MANIFEST_FILE, MERGE_REPORT_FILE, QUARANTINE_FILE } from './load-prepared.js';
import { describeColumns, mappedColumns } from './mapped-columns.js';
import { findDeclarationConflicts, type DescribedSurface } from './merge-declarations.js';
import { buildMergeReport } from './merge-report.js';
import { findValueConflicts } from './merge-values.js';
import { SPLITS, type PreparedManifest, type Split } from './prepared.js';
import { cleanLeftovers, preparedDirectory, replacePrepared } from './prepared-directory.js';
import { preparedKey } from './prepared-key.js';
import { writeRawRows } from './raw-rows.js';
import { eventsOwner, openRelations, surfaceOwner, type Relation } from './relations.js';
import { writeShards } from './shard-writer.js';
import { runStep } from './sql-step.js';
import { stageSurfaces } from './stage.js';
import { ingestSurface, type IngestedSurface } from './surface-ingest.js';
import { groupRequests, markInconsistentRequests } from './surface-requests.js';

/** What `prepare` is doing. */
export interface PrepareProgress {
  readonly step: 'fingerprint' | 'read' | 'stage' | 'merge' | 'encode' | 'write';
  /** The surface, sequence or split at hand. */
  readonly detail: string;
  /** Part of the step that is done, 0 to 1. */
  readonly fraction: number;
  /** Candidates written so far, in step `write`. */
  readonly rows?: number;
}

export interface PrepareOptions {
  readonly onProgress?: (progress: PrepareProgress) => void;
  /** Prepare even when nothing has changed. */
  readonly force?: boolean;
  /** Stops between two steps, leaving the dataset that was there. */
  readonly signal?: AbortSignal;
}

export interface PreparedDataset extends PreparedManifest {
  /** Absolute folder. */
  readonly directory: string;
  /** Nothing had changed, so nothing was done. */
  readonly reused: boolean;
}

type Report = NonNullable<PrepareOptions['onProgress']>;

const fingerprint = async (project: Project): Promise<readonly SourceFingerprint[]> => {
  const database = await openDatabase();
  try {
    return await fingerprintSources(database, project);
  } finally {
    database.close();
  }
};

/** The dataset that is there, when it is whole and of this key. */
const reusable = async (directory: string, key: string): Promise<PreparedManifest | undefined> => {
  try {
    const manifest = await loadPrepared(directory, { verify: true });
    return manifest.key === key ? manifest : undefined;
  } catch (error) {
    if (error instanceof ArtifactError) return undefined;
    throw error;
  }
};

const describeSurfaces = async (database: Database, project: Project, relations: ReadonlyMap<string, Relation>): Promise<readonly DescribedSurface[]> => {
  const described: DescribedSurface[] = [];
  for (const surface of project.surfaces) {
    const owner = surfaceOwner(surface.name);
    const relation = relations.get(owner)!;
    const context = { owner, relation, where: surface.where, whereOption: `surfaces.${surface.name}.where` };
    described.push({ surface: surface.name, relation, where: surface.where, columns: await describeColumns(database, mappedColumns(project, surface), context) });
  }
  return described;
};

interface Ingested {
  readonly surfaces: readonly IngestedSurface[];
  readonly badRows: readonly BadRowCount[];
}

const ingest = async (database: Database, project: Project, relations: ReadonlyMap<string, Relation>, described: readonly DescribedSurface[], report: Report): Promise<Ingested> => {
  const sequences = eventSequences(project);
  const total = project.surfaces.length + sequences.length;
  const policy = project.data.badRows;
  const surfaces: IngestedSurface[] = [];
  const badRows: BadRowCount[] = [];
  for (const [index, surface] of project.surfaces.entries()) {
    const owner = surfaceOwner(surface.name);
    report({ step: 'read', detail: surface.name, fraction: index / total });
    const relation = relations.get(owner)!;
    const ingested = await markInconsistentRequests(database, await ingestSurface(database, project, described[index]!, index));
    badRows.push(...(await settleBadRows(database, policy, { owner, relation, table: ingested.rows, requestId: 't."@request_id"' })));
    if (ingested.candidates !== undefined) {
      const source = { owner, relation, table: ingested.candidates, requestId: 'p."@request_id"', parent: ingested.rows.sql };
      badRows.push(...(await settleBadRows(database, policy, source)));
    }
    await groupRequests(database, ingested);
    surfaces.push(ingested);
  }
  for (const [index, sequence] of sequences.entries()) {
    report({ step: 'read', detail: sequence.name, fraction: (project.surfaces.length + index) / total });
    badRows.push(...(await ingestEvents(database, project, sequence, relations.get(eventsOwner(sequence.name))!)));
  }
  return { surfaces, badRows };
};

const writeSplits = async (database: Database, project: Project, staged: Awaited<ReturnType<typeof stageSurfaces>>['staged'], encoders: PreparedManifest['encoders'], directory: string, report: Report): Promise<PreparedManifest['splits']> => {
  const total = SPLITS.reduce((sum, split) => sum + staged.splits[split].candidates, 0);
  let before = 0;
  const splits: [Split, PreparedManifest['splits'][Split]][] = [];
  for (const split of SPLITS) {
    const base = before;
    const written = await writeShards(database, staged, encoders, split, directory, {
      shardCandidates: project.data.shardCandidates,
      onProgress: ({ candidates }) => report({ step: 'write', detail: split, fraction: (base + candidates) / total, rows: base + candidates }),
    });
    splits.push([split, written]);
    before += staged.splits[split].candidates;
  }
  return Object.fromEntries(splits) as PreparedManifest['splits'];
};

const build = async (database: Database, project: Project, sources: readonly SourceFingerprint[], key: string, directory: string, report: Report): Promise<PreparedManifest> => {
  // Texts with an offset, and casts in the user's expressions, must not depend on the machine's time zone.
  await runStep(database, 'DuckDB', "SET TimeZone = 'UTC'");
  for (const source of sources) {
    await verifyCompressed(source.surface, source.files.map((file) => resolve(project.directory, file.path)));
  }
  const relations = await openRelations(database, project);
  await createQuarantine(database);
  const described = await describeSurfaces(database, project, relations);
  const declared = await findDeclarationConflicts(database, project, described);
  if (declared.length > 0) throw new MergeError(declared);
  const { surfaces, badRows } = await ingest(database, project, relations, described, report);

  report({ step: 'stage', detail: 'all surfaces', fraction: 0 });
  const { staged, outsideRange } = await stageSurfaces(database, project, surfaces, (fraction) => report({ step: 'stage', detail: 'all surfaces', fraction }));
  report({ step: 'merge', detail: 'all surfaces', fraction: 0 });
  const mergeReport = await buildMergeReport(database, project, { described, outsideRange, badRows });
  const conflicts = await findValueConflicts(database, project, mergeReport);
  if (conflicts.length > 0) throw new MergeError(conflicts);
  report({ step: 'encode', detail: 'the training range', fraction: 0 });
  const encoders = await fitEncoders(database, staged, project);
  const splits = await writeSplits(database, project, staged, encoders, directory, report);

  await mkdir(join(directory, 'raw'));
  const rawRows = await writeRawRows(database, project, staged, directory);
  const quarantined = badRows.reduce((sum, bad) => sum + bad.rows, 0);
  if (quarantined > 0) await runStep(database, QUARANTINE_FILE, `COPY ${QUARANTINE} TO ${quoteLiteral(join(directory, QUARANTINE_FILE))} (FORMAT parquet)`);
  await writeFile(join(directory, MERGE_REPORT_FILE), `${JSON.stringify(mergeReport, null, 2)}\n`);
  const manifest: PreparedManifest = {
    version: 1,
    project: project.name,
    key,
    sources,
    encoders,
    tasks: project.tasks.map(({ name, surfaces: own, weight }) => ({ name, surfaces: own, weight })),
    boundaries: staged.boundaries,
    splits,
    sampling: Object.fromEntries(project.surfaces.flatMap(({ name, negativeSampling }) => (negativeSampling === undefined ? [] : [[name, negativeSampling]]))),
    rawRows,
    quarantined,
  };
  await writeFile(join(directory, MANIFEST_FILE), `${JSON.stringify(manifest)}\n`);
  return manifest;
};

/**
 * Prepares the project's dataset in `<workspace>/prepared`. Data larger than memory spills into a
 * folder beside it. When the config parts that shape the data, the sources and the dataset itself are unchanged, nothing is done.
 *
 * On any failure the dataset that was there stays, and nothing half-written is left.
 *
 * @throws DataError for missing or damaged sources, missing columns, bad rows (policy `fail`) and empty surfaces
 * @throws MergeError for features that do not mean the same on every surface
 * @throws IoError when the file system refuses
 * @throws OnefoldError `interrupted` when the signal aborts
 */
export const prepare = async (project: Project, { onProgress, force = false, signal }: PrepareOptions = {}): Promise<PreparedDataset> => {
  const directory = preparedDirectory(project.workspace);
  const stopIfAsked = (): void => stopIfAborted(signal, 'preparing was interrupted; the dataset is as it was before', directory);
  const report: Report = (progress) => {
    onProgress?.(progress);
    stopIfAsked();
  };
  if (project.surfaces.length === 0) throw new DataError('the project has no surface', { where: 'surfaces', expected: 'at least one', fix: 'declare one' });
  await cleanLeftovers(project.workspace);
  report({ step: 'fingerprint', detail: 'sources', fraction: 0 });
  const sources = await fingerprint(project);
  const key = preparedKey(project, sources);
  const existing = force ? undefined : await reusable(directory, key);
  if (existing !== undefined) return { ...existing, directory, reused: true };

  const manifest = await replacePrepared(project.workspace, async (temporary) => {
    const staging = join(temporary, 'staging');
    await mkdir(staging);
    // Tables of a database in memory spill here beyond the limit, like every other intermediate result.
    const database = await openDatabase({ memoryLimit: project.data.memoryLimit, tempDirectory: staging });
    try {
      const built = await build(database, project, sources, key, temporary, report);
      stopIfAsked();
      return built;
    } finally {
      database.close();
      await rm(staging, { recursive: true, force: true });
    }
  });
  return { ...manifest, directory, reused: false };
};
