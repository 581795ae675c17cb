import { DataError } from '../config/errors.js';
import type { Feature, Project, Surface } from '../config/project.js';
import type { Check } from '../data/canonical.js';
import { checkedSelectSql, checksOf, CODE_COLUMN, VALUE_COLUMN, type CheckedColumn } from '../data/checked-select.js';
import { quoteIdentifier, type Database } from '../data/duckdb.js';
import { describeColumns, mappedColumns, type DescribedColumn } from '../data/mapped-columns.js';
import type { RawColumn, RawNumbers } from '../data/raw-column.js';
import { RAW } from '../data/raw-rows.js';
import { openRelations, ROW_COLUMN, surfaceOwner, type Relation } from '../data/relations.js';
import { runStep } from '../data/sql-step.js';
import { eventTimeColumn, fieldColumn, STAGED } from '../data/staged.js';
import { canonicalOf } from '../data/surface-ingest.js';

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

/** A feature whose value in the rows is not looked at when serving. */
const isReplaced = (feature: Feature): boolean => feature.kind !== 'sequence' && feature.trainingOnly !== undefined;

/** A project of one surface that reads one file. */
const projectOf = (schema: RawSchema, file: string, directory: string, serving: boolean): Project => ({
  name: 'raw',
  file,
  directory,
  workspace: directory,
  surfaces: [{ ...schema.surface, source: { files: file }, where: undefined, negativeSampling: undefined }],
  features: serving ? schema.features.filter((feature) => !isReplaced(feature)) : schema.features,
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

/** What `prepare` checks of a sequence; to the millisecond, which is what raw rows of the merged schema keep. */
const sequenceChecks = (feature: Feature, columns: readonly DescribedColumn[]): readonly Check[] => {
  if (feature.kind !== 'sequence') return [];
  const owner = `feature "${feature.name}"`;
  const lists = columns.filter((column) => column.role === feature).map((column) => quoteIdentifier(column.id));
  const lengths = lists.map((list) => `coalesce(len(${list}), 0)`);
  const checks: Check[] = [];
  if (lists.length > 1) {
    checks.push({
      condition: lengths.slice(1).map((length) => `${length} <> ${lengths[0]!}`).join(' OR '),
      reason: `${owner}: its lists differ in length`,
      value: lengths.join(" || ', ' || "),
      expected: 'one element per event in every list',
    });
  }
  if (feature.time !== undefined) {
    const newest = `list_max(${quoteIdentifier(eventTimeColumn(feature.name))})`;
    checks.push({
      condition: `${newest} // 1000 > "@time" // 1000`,
      reason: `${owner}: history from the future`,
      value: `'event at ' || make_timestamp(${newest}) || ', request at ' || make_timestamp("@time")`,
      expected: "events before the request's time",
    });
  }
  return checks;
};

/** Rows of a request must agree on everything but their candidates: the first of them speaks for all. */
class RequestAgreement {
  readonly #file: string;
  #id: string | undefined;
  #values: string | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  check(id: string, values: string, place: number): void {
    if (id === this.#id && values !== this.#values) {
      throw new DataError(`${this.#file}, row ${place}: the request-side values differ from those of the row before it, of the same request (${id})`, {
        where: `${this.#file}:${place}`,
        expected: 'the same values on every row of a request',
        fix: 'correct the row, or give the requests ids of their own',
      });
    }
    this.#id = id;
    this.#values = values;
  }
}

/** Column with a hash of a row's request-side values. */
const HASH_COLUMN = '@hash';

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

/** An error of the config's words told about the file: here the file must fit the config, not the other way round. */
const aboutFile = (error: unknown, file: string, fix: string): unknown =>
  error instanceof DataError
    ? new DataError(error.message.includes(file) ? error.message : `${file}: ${error.message}`, {
        where: file,
        fix,
        cause: error,
        ...(error.expected === undefined ? {} : { expected: error.expected }),
      })
    : error;

const openRaw = async (database: Database, project: Project): Promise<{ readonly project: Project; readonly relation: Relation }> => {
  const owner = surfaceOwner(project.surfaces[0]!.name);
  const file = (project.surfaces[0]!.source as { readonly files: string }).files;
  const relation = await openRelations(database, project).then(
    (relations) => relations.get(owner)!,
    (error: unknown) => {
      throw aboutFile(error, file, 'check the path, and that the file is whole');
    },
  );
  return { project: relation.columns.includes(RAW.requestId) ? inMergedSchema(project) : project, relation };
};

/**
 * Streams raw rows of one surface from a file, cast and checked as `prepare` does it. The file has the columns of the
 * surface's own logs (sequences of joined events as lists `sequence.field` and `sequence.@time`), or those of the merged
 * schema as `prepare` keeps raw rows. It is relation `source_0` of the database from then on.
 *
 * @param options.directory where relative file names start
 * @param options.serving training-only features are neither wanted nor read
 * @throws DataError naming the missing column, or the first row that does not fit
 */
export async function* readRawRows(
  database: Database,
  schema: RawSchema,
  file: string,
  options: { readonly directory: string; readonly serving: boolean },
): AsyncGenerator<RawRows, void, undefined> {
  const { project, relation } = await openRaw(database, projectOf(schema, file, options.directory, options.serving));
  const surface = project.surfaces[0]!;
  const context = { owner: file, relation, where: undefined, whereOption: 'where' };
  const sequenceTimes = new Set(project.features.filter((feature) => feature.kind === 'sequence').map((feature) => eventTimeColumn(feature.name)));
  let described: readonly DescribedColumn[];
  let columns: readonly CheckedColumn[];
  try {
    described = await describeColumns(database, mappedColumns(project, surface), context);
    columns = described.map((column, index) => checkedColumn(surface, column, index, sequenceTimes));
  } catch (error) {
    throw aboutFile(error, file, "give the file the columns of the surface's logs; golden.parquet in the export has such rows");
  }
  const ofRequest = described.filter((column) => column.side === 'request').map((column) => quoteIdentifier(column.id));
  const select = {
    from: relation.sql,
    where: undefined,
    kept: { [quoteIdentifier(ROW_COLUMN)]: quoteIdentifier(ROW_COLUMN) },
    columns,
    checks: project.features.flatMap((feature) => sequenceChecks(feature, described)),
    derived: { [quoteIdentifier(HASH_COLUMN)]: `CAST(hash(${ofRequest.join(', ')}) AS VARCHAR)` },
  };
  const checks = checksOf(select);
  const agreement = new RequestAgreement(file);
  // Relations are temporary, streams have connections of their own: what is streamed is a table.
  await runStep(database, file, `CREATE OR REPLACE TABLE checked_rows AS ${checkedSelectSql(select)}`);
  for await (const chunk of database.stream('FROM checked_rows')) {
    const codes = chunk.column(CODE_COLUMN) as RawNumbers;
    const requestIds = texts(chunk.column(STAGED.requestId));
    const hashes = texts(chunk.column(HASH_COLUMN));
    const places = (chunk.column(ROW_COLUMN) as RawNumbers).values;
    for (let row = 0; row < chunk.rowCount; row++) {
      const place = places[row]!;
      if (!codes.valid(row)) {
        agreement.check(requestIds[row]!, hashes[row]!, place);
        continue;
      }
      const check = checks[codes.values[row]! - 1]!;
      throw new DataError(`${file}, row ${place}: ${check.reason} (${texts(chunk.column(VALUE_COLUMN))[row] ?? 'NULL'})`, {
        where: `${file}:${place}`,
        expected: check.expected,
        fix: 'correct the row',
      });
    }
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
