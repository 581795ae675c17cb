import { DataError } from '../config/errors.js';
import type { Feature, Project, Surface } from '../config/project.js';
import { checkedSelectSql, checksOf, CODE_COLUMN, VALUE_COLUMN, type CheckedColumn } from '../data/checked-select.js';
import type { Database } from '../data/duckdb.js';
import { describeColumns, mappedColumns, type DescribedColumn } from '../data/mapped-columns.js';
import type { RawColumn, RawNumbers } from '../data/raw-column.js';
import { RAW } from '../data/raw-rows.js';
import { openRelations, surfaceOwner, type Relation } from '../data/relations.js';
import { eventTimeColumn, fieldColumn, STAGED } from '../data/staged.js';
import { canonicalOf } from '../data/surface-ingest.js';
import { quoteIdentifier } from '../data/duckdb.js';

/** How an export's surface reads its raw rows: its part of the project, without sources. */
export interface RawSchema {
  readonly surface: Omit<Surface, 'source' | 'where' | 'negativeSampling'>;
  readonly features: readonly Feature[];
}

/** Raw rows of one chunk; rows of one request that follow each other form one request. */
export interface RawRows {
  readonly candidateCount: number;
  readonly requestIds: readonly string[];
  /** First row of each request. */
  readonly requestRows: Int32Array;
  readonly rowToRequest: Int32Array;
  readonly viewTypes: readonly string[];
  /** Epoch milliseconds per row. */
  readonly times: Float64Array;
  readonly columns: ReadonlyMap<string, RawColumn>;
}

/** A sequence of joined events as raw rows hold it: lists `sequence.field`, and `sequence.@time` in epoch ms. */
export const inRow = (feature: Feature): Feature =>
  feature.kind !== 'sequence' || feature.events === undefined
    ? feature
    : {
        ...feature,
        events: undefined,
        time: eventTimeColumn(feature.name),
        timeUnit: 'ms',
        fields: feature.fields.map((field) => (field.kind === 'id' ? { ...field, column: fieldColumn(feature.name, field.name) } : field)),
      };

/** Names of the merged schema in place of the source's: what `prepare` keeps as raw rows. */
const inMergedNames = (feature: Feature, surface: string): Feature =>
  feature.kind === 'sequence'
    ? {
        ...feature,
        timeUnit: 'ms',
        time: feature.time === undefined ? undefined : eventTimeColumn(feature.name),
        fields: feature.fields.map((field) => (field.kind === 'id' ? { ...field, column: fieldColumn(feature.name, field.name) } : field)),
      }
    : { ...feature, columns: { [surface]: feature.name } };

/** A project of one surface that reads one file. */
const projectOf = (schema: RawSchema, file: string, directory: string): Project => ({
  name: 'raw',
  file,
  directory,
  workspace: directory,
  surfaces: [{ ...schema.surface, source: { files: file }, where: undefined, negativeSampling: undefined }],
  features: schema.features,
  tasks: [],
  split: { validation: 0, test: 0 },
  data: { badRows: 'fail', memoryLimit: '1GB', shardCandidates: 1, truth: {} },
  models: {},
});

const inMergedSchema = (project: Project): Project => {
  const surface = project.surfaces[0]!;
  return {
    ...project,
    surfaces: [
      {
        ...surface,
        keys: { request: RAW.requestId, user: RAW.userId, time: RAW.time, timeUnit: 'ms' },
        ...(surface.viewType === undefined ? {} : { viewType: RAW.viewType }),
      },
    ],
    features: project.features.map((feature) => inMergedNames(feature, surface.name)),
  };
};

const checkedColumn = (surface: Surface, column: DescribedColumn, index: number, sequenceTimes: ReadonlySet<string>): CheckedColumn => {
  const name = quoteIdentifier(column.id);
  const milliseconds = column.id === STAGED.time ? `${name} // 1000` : sequenceTimes.has(column.id) ? `list_transform(${name}, lambda "@x": "@x" // 1000)` : undefined;
  return {
    id: column.id,
    text: column.text,
    raw: column.sql,
    canonical: canonicalOf(surface, column, `"@r${index}"`),
    ...(milliseconds === undefined ? {} : { output: milliseconds }),
  };
};

/** Rows where the request id changes begin a request. */
const groupRows = (ids: readonly string[]): { readonly requestRows: Int32Array; readonly rowToRequest: Int32Array } => {
  const rowToRequest = new Int32Array(ids.length);
  const starts: number[] = [];
  ids.forEach((id, row) => {
    if (row === 0 || id !== ids[row - 1]) starts.push(row);
    rowToRequest[row] = starts.length - 1;
  });
  return { requestRows: Int32Array.from(starts), rowToRequest };
};

const texts = (column: RawColumn): readonly string[] => (column as { values: readonly string[] }).values;

const openRaw = async (database: Database, project: Project): Promise<{ readonly project: Project; readonly relation: Relation }> => {
  const owner = surfaceOwner(project.surfaces[0]!.name);
  const relation = (await openRelations(database, project)).get(owner)!;
  return { project: relation.columns.includes(RAW.requestId) ? inMergedSchema(project) : project, relation };
};

/**
 * Streams raw rows of one surface from a file, cast and checked exactly as `prepare` does it. The file has the columns of
 * the surface's own logs (sequences of joined events as lists `sequence.field` and `sequence.@time`), or those of the
 * merged schema as `prepare` keeps raw rows.
 *
 * @throws DataError naming the missing column, or the first row that does not fit
 */
export async function* readRawRows(
  database: Database,
  schema: RawSchema,
  file: string,
  directory: string,
): AsyncGenerator<RawRows, void, undefined> {
  const { project, relation } = await openRaw(database, projectOf(schema, file, directory));
  const surface = project.surfaces[0]!;
  const context = { owner: file, relation, where: undefined, whereOption: 'where' };
  const described = await describeColumns(database, mappedColumns(project, surface), context);
  const sequenceTimes = new Set(project.features.filter((feature) => feature.kind === 'sequence').map((feature) => eventTimeColumn(feature.name)));
  const columns = described.map((column, index) => checkedColumn(surface, column, index, sequenceTimes));
  const select = { from: relation.sql, where: undefined, kept: { '"@row"': '"@row"' }, columns, checks: [] };
  const checks = checksOf(select);
  // Relations are temporary, streams have connections of their own: what is streamed is a table.
  await database.run(`CREATE OR REPLACE TABLE checked_rows AS ${checkedSelectSql(select)}`);
  for await (const chunk of database.stream('FROM checked_rows')) {
    const codes = chunk.column(CODE_COLUMN) as RawNumbers;
    for (let row = 0; row < chunk.rowCount; row++) {
      if (!codes.valid(row)) continue;
      const check = checks[codes.values[row]! - 1]!;
      const place = (chunk.column('@row') as RawNumbers).values[row]!;
      throw new DataError(`${file}, row ${place}: ${check.reason} (${texts(chunk.column(VALUE_COLUMN))[row] ?? 'NULL'})`, {
        where: `${file}:${place}`,
        expected: check.expected,
        fix: 'correct the row',
      });
    }
    const requestIds = texts(chunk.column(STAGED.requestId));
    yield {
      candidateCount: chunk.rowCount,
      requestIds,
      ...groupRows(requestIds),
      viewTypes: surface.viewType === undefined ? new Array<string>(chunk.rowCount).fill(surface.name) : texts(chunk.column(STAGED.viewType)),
      times: Float64Array.from((chunk.column(STAGED.time) as RawNumbers).values),
      columns: new Map(described.map(({ id }) => [id, chunk.column(id)])),
    };
  }
}
