import { DataError } from '../config/errors.js';
import type { Feature, Project, Surface } from '../config/project.js';
import type { Check } from '../data/canonical.js';
import { checkedSelectSql, checksOf, CODE_COLUMN, rawName, VALUE_COLUMN, type CheckedColumn, type CheckedSelect } from '../data/checked-select.js';
import { quoteIdentifier, type Database } from '../data/duckdb.js';
import { describeColumns, mappedColumns, type DescribedColumn } from '../data/mapped-columns.js';
import type { RawColumn, RawNumbers } from '../data/raw-column.js';
import { eventsOwner, openRelations, ROW_COLUMN, surfaceOwner, type Relation } from '../data/relations.js';
import { runStep } from '../data/sql-step.js';
import { eventTimeColumn, STAGED } from '../data/staged.js';
import { candidateListChecks, canonicalOf } from '../data/surface-ingest.js';
import { aboutFile, checkHistories, joinEvents, NUMBER_COLUMN } from './raw-history.js';
import { hasMergedNames, inMergedSchema, rawProject, sequencesWithEvents, type RawSchema } from './raw-schema.js';

/** Place of a candidate in its request's lists, from 1; 1 where rows are candidates. */
const PLACE_COLUMN = '@candidate';
const [ROW, NUMBER, PLACE] = [quoteIdentifier(ROW_COLUMN), quoteIdentifier(NUMBER_COLUMN), quoteIdentifier(PLACE_COLUMN)] as const;

/** Raw rows of one chunk; rows of one request that follow each other form one request. */
export interface RawRows {
  readonly candidateCount: number;
  readonly requestIds: readonly string[];
  /** First row of each request. */
  readonly requestRows: Int32Array;
  readonly rowToRequest: Int32Array;
  /** Row of the file that each stands in, from 1 and over all files. */
  readonly fileRows: Float64Array;
  readonly viewTypes: readonly string[];
  /** Epoch milliseconds per row. */
  readonly times: Float64Array;
  readonly columns: ReadonlyMap<string, RawColumn>;
}

const checkedColumn = (surface: Surface, column: DescribedColumn, raw: string, index: number, sequenceTimes: ReadonlySet<string>): CheckedColumn => {
  const name = quoteIdentifier(column.id);
  const milliseconds = column.id === STAGED.time ? `${name} // 1000` : sequenceTimes.has(column.id) ? `list_transform(${name}, lambda "@x": "@x" // 1000)` : undefined;
  return {
    id: column.id,
    text: column.text,
    raw,
    canonical: canonicalOf(surface, column, rawName(index)),
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

interface OpenRaw {
  readonly project: Project;
  /** Rows numbered by {@link NUMBER_COLUMN}, with the histories joined to them. */
  readonly relation: Relation;
}

const openRaw = async (database: Database, schema: RawSchema, file: string, options: RawRowsOptions): Promise<OpenRaw> => {
  const project = rawProject(schema, file, options.directory, options);
  const surface = project.surfaces[0]!;
  const sequences = sequencesWithEvents(schema, options.events ?? {});
  // As in training: texts with an offset do not depend on the machine's time zone.
  await runStep(database, 'DuckDB', "SET TimeZone = 'UTC'");
  const relations = await openRelations(database, { ...project, features: sequences }).catch((error: unknown) => {
    throw aboutFile(error, file, 'check the path, and that the file is whole');
  });
  const opened = relations.get(surfaceOwner(surface.name))!;
  const merged = hasMergedNames(opened.columns);
  const numbered: Relation = {
    ...opened,
    layout: merged ? 'candidate' : opened.layout,
    sql: `(SELECT *, row_number() OVER () AS ${NUMBER} FROM ${opened.sql})`,
  };
  const named = merged ? inMergedSchema(project) : project;
  const histories = sequences.map((sequence) => ({ sequence, events: relations.get(eventsOwner(sequence.name))! }));
  const relation = await joinEvents(database, named, numbered, histories, file);
  checkHistories(schema, relation, file);
  return { project: named, relation };
};

/** Candidates out of the lists of their requests, as columns `"@l0"`, `"@l1"` …; request columns are `"@q0"`, `"@q1"` …. */
const unnestedSql = (relation: Relation, ofRequest: readonly DescribedColumn[], ofCandidate: readonly DescribedColumn[]): string => {
  const requests = ofRequest.map((_, index) => `"@q${index}"`);
  const lists = ofCandidate.map((_, index) => `"@l${index}"`);
  const checks = candidateListChecks(ofCandidate);
  const cases = (value: (check: Check, code: number) => string): string => checks.map((check, index) => `WHEN ${check.condition} THEN ${value(check, index + 1)}`).join(' ');
  const inner = [ROW, NUMBER, ...ofRequest.map((column, index) => `${column.sql} AS ${requests[index]!}`), ...ofCandidate.map((column, index) => `${column.sql} AS ${lists[index]!}`)];
  const longest = `greatest(1, ${lists.map((list) => `len(${list})`).join(', ')})`;
  return `(SELECT ${[ROW, NUMBER, ...requests].join(', ')}, "@lists", "@lists_value", unnest(range(1, ${longest} + 1)) AS ${PLACE}, ${lists.map((list) => `unnest(${list}) AS ${list}`).join(', ')}
    FROM (SELECT *, CASE ${cases((_, code) => String(code))} END AS "@lists", CASE ${cases((check) => check.value)} END AS "@lists_value"
    FROM (SELECT ${inner.join(', ')} FROM ${relation.sql})))`;
};

/** The checked select of raw rows, and for each of its checks whether it is of a candidate in a list. */
const rawSelect = (project: Project, relation: Relation, described: readonly DescribedColumn[]): { readonly select: CheckedSelect; readonly ofListed: readonly boolean[] } => {
  const surface = project.surfaces[0]!;
  const nested = relation.layout === 'request';
  const sequenceTimes = new Set(project.features.filter((feature) => feature.kind === 'sequence').map((feature) => eventTimeColumn(feature.name)));
  const ofRequest = described.filter((column) => column.side === 'request');
  const ofCandidate = described.filter((column) => column.side === 'candidate');
  const columns = described.map((column, index) => {
    const unnested = column.side === 'request' ? `"@q${ofRequest.indexOf(column)}"` : `"@l${ofCandidate.indexOf(column)}"`;
    return checkedColumn(surface, column, nested ? unnested : column.sql, index, sequenceTimes);
  });
  const listChecks = nested ? candidateListChecks(ofCandidate).map((check, index) => ({ ...check, condition: `"@lists" = ${index + 1}`, value: '"@lists_value"' })) : [];
  const select: CheckedSelect = {
    from: nested ? unnestedSql(relation, ofRequest, ofCandidate) : relation.sql,
    where: undefined,
    kept: { [ROW]: ROW, [NUMBER]: NUMBER, [PLACE]: nested ? PLACE : '1', ...(nested ? { '"@lists"': '"@lists"', '"@lists_value"': '"@lists_value"' } : {}) },
    columns,
    checks: [...listChecks, ...project.features.flatMap((feature) => sequenceChecks(feature, described))],
    derived: { [quoteIdentifier(HASH_COLUMN)]: `CAST(hash(${ofRequest.map((column) => quoteIdentifier(column.id)).join(', ')}) AS VARCHAR)` },
  };
  const ofListed = columns.flatMap((column, index) => column.canonical.checks.map(() => nested && described[index]!.side === 'candidate'));
  return { select, ofListed };
};

export interface RawRowsOptions {
  /** Where relative file names start. */
  readonly directory: string;
  /** Training-only features are neither wanted nor read. */
  readonly serving: boolean;
  /** Rows have labels, columns `label.<task>`. Default false. */
  readonly labels?: boolean;
  /** Files with the events of sequences that training joined, by sequence: joined to the rows as in training. */
  readonly events?: Readonly<Record<string, string>>;
}

/**
 * Streams raw rows of one surface from a file, one per candidate, cast and checked as `prepare` does it. The file has the
 * columns of the surface's own logs in their layout (sequences of joined events as lists `sequence.field` and
 * `sequence.@time`, unless `events` names their files), or those of the merged schema as `prepare` keeps raw rows. It is
 * relation `source_0` of the database from then on.
 *
 * @throws DataError naming the missing column, or the first row that does not fit
 */
export async function* readRawRows(database: Database, schema: RawSchema, file: string, options: RawRowsOptions): AsyncGenerator<RawRows, void, undefined> {
  const { project, relation } = await openRaw(database, schema, file, options);
  const surface = project.surfaces[0]!;
  const mapped = mappedColumns(project, surface);
  if (relation.layout === 'request' && !mapped.some((column) => column.side === 'candidate')) {
    throw new DataError(`${file}: nothing tells how many candidates a request has: the export reads no list of theirs`, {
      where: file,
      expected: 'a candidate-side feature that is not training-only',
      fix: 'train with such a feature, or score rows with the names of golden.parquet, one per candidate',
    });
  }
  let described: readonly DescribedColumn[];
  let checked: ReturnType<typeof rawSelect>;
  try {
    described = await describeColumns(database, mapped, { owner: file, relation, where: undefined, whereOption: 'where' });
    checked = rawSelect(project, relation, described);
  } catch (error) {
    throw aboutFile(error, file, "give the file the columns of the surface's logs; golden.parquet in the export has such rows");
  }
  const { select, ofListed } = checked;
  const checks = checksOf(select);
  const agreement = new RequestAgreement(file);
  // A join leaves rows in any order.
  const order = Object.keys(options.events ?? {}).length === 0 ? '' : ` ORDER BY ${NUMBER}, ${PLACE}`;
  // Relations are temporary, streams have connections of their own: what is streamed is a table.
  await runStep(database, file, `CREATE OR REPLACE TABLE checked_rows AS ${checkedSelectSql(select)}${order}`);
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
      const code = codes.values[row]! - 1;
      const check = checks[code]!;
      const candidate = ofListed[code] === true ? `, candidate ${(chunk.column(PLACE_COLUMN) as RawNumbers).values[row]!}` : '';
      throw new DataError(`${file}, row ${place}${candidate}: ${check.reason} (${texts(chunk.column(VALUE_COLUMN))[row] ?? 'NULL'})`, {
        where: `${file}:${place}`,
        expected: check.expected,
        fix: 'correct the row',
      });
    }
    yield {
      candidateCount: chunk.rowCount,
      requestIds,
      ...groupRows(requestIds),
      fileRows: Float64Array.from((chunk.column(NUMBER_COLUMN) as RawNumbers).values),
      viewTypes: surface.viewType === undefined ? new Array<string>(chunk.rowCount).fill(surface.name) : texts(chunk.column(STAGED.viewType)),
      times: Float64Array.from((chunk.column(STAGED.time) as RawNumbers).values),
      columns: new Map(described.map(({ id }) => [id, chunk.column(id)])),
    };
  }
}
