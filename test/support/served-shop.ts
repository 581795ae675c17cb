/** Exports of the shop, which has every kind of feature, and their golden rows as the requests they came from. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/data/duckdb.js';
import { openDataset } from '../../src/data/dataset.js';
import { prepare } from '../../src/data/prepare.js';
import type { RawColumn } from '../../src/data/raw-column.js';
import { exportSurface } from '../../src/export/export-surface.js';
import { probabilityColumn } from '../../src/export/golden-rows.js';
import { EXPORT_FILES } from '../../src/export/manifest.js';
import { openExport, type OpenExport } from '../../src/export/open-export.js';
import { readRawRows, type RawRows } from '../../src/export/raw-rows.js';
import { checkpointOf } from '../../src/unify/model-run.js';
import { openModel } from '../../src/unify/score-model.js';
import { trainRuns } from '../../src/unify/train-model.js';
import { createShop, readSql } from './shop-project.js';

const MODEL = 'full';

/** A request as its log has it, and what the export that it is sent to gave its candidates. */
export interface GoldenRequest {
  readonly requestId: string;
  readonly viewType: string;
  readonly time: number;
  /** First row of its candidates among `rows`, and the row after the last. */
  readonly from: number;
  readonly to: number;
  readonly rows: RawRows;
  /** Probability of each candidate, by task. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
}

/** A value of a raw column as JSON has it. */
export const valueOf = (column: RawColumn, row: number): unknown => {
  switch (column.type) {
    case 'string':
      return column.values[row];
    case 'number':
      return column.valid(row) ? column.values[row]! : null;
    case 'list':
      return Array.from({ length: column.offsets[row + 1]! - column.offsets[row]! }, (_, k) => valueOf(column.child, column.offsets[row]! + k));
  }
};

export interface ServedShop {
  readonly exports: Readonly<Record<'feed' | 'search', OpenExport>>;
  golden(surface: 'feed' | 'search'): Promise<readonly GoldenRequest[]>;
  remove(): Promise<void>;
}

const readGolden = async ({ directory, manifest }: OpenExport): Promise<readonly GoldenRequest[]> => {
  const file = join(directory, EXPORT_FILES.golden);
  const columns = manifest.tasks.map((task) => `"${probabilityColumn(task)}"`).join(', ');
  const stored = await readSql<Record<string, number>>(directory, `SELECT ${columns} FROM read_parquet('${file}')`);
  const database = await openDatabase({ threads: 1 });
  const requests: GoldenRequest[] = [];
  try {
    // So few rows are one chunk.
    for await (const rows of readRawRows(database, manifest.source, file, { directory: '/', serving: true })) {
      for (const [index, from] of rows.requestRows.entries()) {
        const to = rows.requestRows[index + 1] ?? rows.candidateCount;
        const scores = Object.fromEntries(manifest.tasks.map((task) => [task, stored.slice(from, to).map((row) => row[probabilityColumn(task)]!)]));
        requests.push({ requestId: rows.requestIds[from]!, viewType: rows.viewTypes[from]!, time: rows.times[from]!, from, to, rows, scores });
      }
    }
  } finally {
    database.close();
  }
  return requests;
};

/** Makes the shop, trains its full model on it, and exports both surfaces. */
export const createServedShop = async (): Promise<ServedShop> => {
  const directory = mkdtempSync(join(tmpdir(), 'onefold-served-'));
  const project = await createShop(directory);
  const model = project.models[MODEL]!;
  const manifest = await prepare(project);
  await trainRuns({ project, model, manifest, directory: manifest.directory });
  const opened = await openModel(project, model, manifest);
  const dataset = await openDataset(manifest.directory, manifest, 'test', { tasks: manifest.tasks.map((task) => task.name), batchCandidates: 64 });
  const group = opened.groups[0]!;
  for (const surface of ['feed', 'search']) {
    await exportSurface({
      project, model, manifest, preparedDirectory: manifest.directory, surface, group, checkpoint: checkpointOf(group.run), dataset,
      precision: 'fp32', directory: join(directory, 'exports', surface), metrics: {},
    });
  }
  dataset.close();
  await opened.close();
  const exports = { feed: await openExport(join(directory, 'exports/feed')), search: await openExport(join(directory, 'exports/search')) };
  return {
    exports,
    golden: (surface) => readGolden(exports[surface]),
    remove: async () => {
      await exports.feed.close();
      await exports.search.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
