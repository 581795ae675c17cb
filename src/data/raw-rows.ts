/** Raw held-out rows: what an export is replayed on, in the merged schema but not encoded. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Project } from '../config/project.js';
import { quoteIdentifier, quoteLiteral, type Database } from './duckdb.js';
import { checksumFile } from './file-checksum.js';
import type { FileEntry } from './prepared.js';
import { queryStep, runStep } from './sql-step.js';
import { STAGED_CANDIDATES, STAGED_REQUESTS, type StagedTables } from './staged.js';

/** Candidates kept per surface, in whole requests; the first request is kept whatever its size. */
const MAX_CANDIDATES = 2000;

/** Names of the fixed columns of a raw file; features follow, only those the surface has, named as in the staging tables. */
export const RAW = { requestId: '@request_id', userId: '@user_id', time: '@time', viewType: '@view_type' } as const;

const fileNameOf = (surface: string): string => `${surface.replaceAll(/[^\w.-]/g, '_')}.parquet`;

/**
 * Writes `raw/<surface>.parquet`, one row per candidate in request order, from the earliest requests of the test split
 * (of the validation split for a surface without any there, else of the training split).
 *
 * @returns the files by surface
 */
export const writeRawRows = async (database: Database, project: Project, staged: StagedTables, directory: string): Promise<Readonly<Record<string, FileEntry>>> => {
  const entries: [string, FileEntry][] = [];
  for (const [index, surface] of project.surfaces.entries()) {
    const where = `raw rows of "${surface.name}"`;
    const splits = await queryStep<{ split: number }>(database, where, `SELECT max("@split") AS split FROM ${STAGED_REQUESTS} WHERE "@surface" = ${index}`);
    const columns = staged.columns
      .filter((column) => project.features.find((feature) => feature.name === column.feature)!.surfaces.includes(surface.name))
      .map((column) => `${column.side === 'request' ? 'q' : 'c'}.${quoteIdentifier(column.name)}`);
    const [last] = await queryStep<{ key: number }>(
      database,
      where,
      `SELECT max("@key") AS key FROM (SELECT "@key", sum("@candidates") OVER (ORDER BY "@key") AS total, row_number() OVER (ORDER BY "@key") AS rank
       FROM ${STAGED_REQUESTS} WHERE "@surface" = ${index} AND "@split" = ${splits[0]!.split}) WHERE total <= ${MAX_CANDIDATES} OR rank = 1`,
    );
    const path = `raw/${fileNameOf(surface.name)}`;
    const file = join(directory, path);
    await runStep(
      database,
      where,
      `COPY (SELECT q."@request_id", q."@user_id", q."@time", q."@view_type"${columns.map((column) => `, ${column}`).join('')}
        FROM ${STAGED_CANDIDATES} c JOIN ${STAGED_REQUESTS} q USING ("@key")
        WHERE q."@surface" = ${index} AND q."@split" = ${splits[0]!.split} AND q."@key" <= ${last!.key} ORDER BY q."@key", c.rowid)
       TO ${quoteLiteral(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    entries.push([surface.name, { path, bytes: (await stat(file)).size, sha256: await checksumFile(file) }]);
  }
  return Object.fromEntries(entries);
};
