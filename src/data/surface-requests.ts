/** The requests of one surface: rows grouped by request id, which must agree on everything but their candidates. */
import { quoteIdentifier, quoteLiteral, type Database } from './duckdb.js';
import { surfaceOwner } from './relations.js';
import { runStep, queryStep } from './sql-step.js';
import type { IngestedSurface } from './surface-ingest.js';

/** Quoted name of the table of a surface's requests: `request_id`, `first_row` (rowid), `first_candidate` (position). */
export const requestsTable = (index: number): string => quoteIdentifier(`requests_${index}`);

/**
 * Good candidates of a surface as a subquery: `@parent` (rowid of the request's row), `@position` (rises in the order
 * of the source), `@request_id`, `@time` (microseconds), and the given columns.
 */
export const goodCandidates = (ingested: IngestedSurface, columns: readonly string[]): string => {
  const list = columns.map((column) => `, c.${quoteIdentifier(column)}`).join('');
  return ingested.candidates === undefined
    ? `(SELECT c.rowid AS "@parent", c.rowid AS "@position", c."@request_id", c."@time"${list} FROM ${ingested.rows.sql} c WHERE c."@code" IS NULL)`
    : `(SELECT c."@parent", c.rowid AS "@position", r."@request_id", r."@time"${list} FROM ${ingested.candidates.sql} c
        JOIN ${ingested.rows.sql} r ON r.rowid = c."@parent" WHERE c."@code" IS NULL AND r."@code" IS NULL)`;
};

/**
 * Marks the rows of every request id whose rows differ in a request-side column.
 *
 * @returns the surface, with the check that says so added
 */
export const markInconsistentRequests = async (database: Database, ingested: IngestedSurface): Promise<IngestedSurface> => {
  const owner = surfaceOwner(ingested.surface.name);
  const { rows, described } = ingested;
  const columns = described.columns.filter((column) => column.side === 'request');
  const code = rows.checks.length + 1;
  const marked: IngestedSurface = {
    ...ingested,
    rows: {
      sql: rows.sql,
      checks: [
        ...rows.checks,
        {
          condition: 'false',
          reason: 'one request id with different request columns',
          value: "''",
          expected: 'the same user, time, view type and request-side features in every row of a request',
        },
      ],
    },
  };
  const differing = `SELECT "@request_id" FROM ${rows.sql} WHERE "@code" IS NULL GROUP BY 1 HAVING min("@hash") <> max("@hash")`;
  const [found] = await queryStep<{ count: number }>(database, owner, `SELECT count(*) AS count FROM (${differing})`);
  if (found!.count === 0) return marked;
  const names = columns.map((column) => `CASE WHEN count(DISTINCT hash(${quoteIdentifier(column.id)})) > 1 THEN ${quoteLiteral(column.text)} END`);
  const content = columns.map((column) => `${quoteIdentifier(column.id)} := r.${quoteIdentifier(column.id)}`).join(', ');
  await runStep(
    database,
    owner,
    `UPDATE ${rows.sql} AS r SET "@code" = ${code}, "@value" = 'they differ in ' || d.names, "@content" = CAST(to_json(struct_pack(${content})) AS VARCHAR)
     FROM (SELECT "@request_id", concat_ws(', ', ${names.join(', ')}) AS names FROM ${rows.sql}
           WHERE "@code" IS NULL AND "@request_id" IN (${differing}) GROUP BY 1) d
     WHERE r."@request_id" = d."@request_id" AND r."@code" IS NULL`,
  );
  return marked;
};

/** Groups the good rows of a surface into its requests. */
export const groupRequests = async (database: Database, ingested: IngestedSurface): Promise<void> => {
  const sql = `CREATE TEMP TABLE ${requestsTable(ingested.index)} AS
    SELECT "@request_id" AS request_id, min("@parent") AS first_row, min("@position") AS first_candidate
    FROM ${goodCandidates(ingested, [])} GROUP BY 1`;
  await runStep(database, surfaceOwner(ingested.surface.name), sql);
};
