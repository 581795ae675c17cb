/** Where the train, validation and test ranges begin and end. */
import { DataError } from '../config/errors.js';
import { parseMoment } from '../config/moment.js';
import type { Project } from '../config/project.js';
import type { Database } from './duckdb.js';
import { queryStep } from './sql-step.js';

/** `[from, validation)` trains, `[validation, test)` validates, `[test, until)` tests; epoch milliseconds. */
export interface Boundaries {
  readonly from: number;
  readonly validation: number;
  readonly test: number;
  readonly until: number;
}

/** All good requests of all surfaces, before the split. */
export const ALL_REQUESTS = 'all_requests';

/** SQL of a request's time in epoch milliseconds. */
export const MILLISECONDS = 'time_us // 1000';

const moment = (path: string, value: string | number): number => {
  const parsed = parseMoment(value);
  if (parsed === undefined) throw new DataError(`${path}: ${value} is no moment`, { where: path, expected: 'an ISO date or date-time, or epoch milliseconds', fix: `correct ${path}` });
  return parsed;
};

/** Time of the request at `rank` in time order; a boundary there keeps equal times together. */
const timeAtRank = async (database: Database, rank: number): Promise<number> => {
  const [row] = await queryStep<{ time: number }>(database, 'the split', `SELECT ${MILLISECONDS} AS time FROM ${ALL_REQUESTS} ORDER BY time_us LIMIT 1 OFFSET ${rank}`);
  return row!.time;
};

const iso = (time: number): string => new Date(time).toISOString();

/** Each surface needs requests to learn from. */
const requireTraining = async (database: Database, project: Project, boundaries: Boundaries): Promise<void> => {
  const rows = await queryStep<{ surface: number; training: number; first: number; last: number }>(
    database,
    'the split',
    `SELECT surface, count(*) FILTER (${MILLISECONDS} >= ${boundaries.from} AND ${MILLISECONDS} < ${boundaries.validation}) AS training,
      min(${MILLISECONDS}) AS first, max(${MILLISECONDS}) AS last FROM ${ALL_REQUESTS} GROUP BY 1 ORDER BY 1`,
  );
  const empty = rows.find((row) => row.training === 0);
  if (empty === undefined) return;
  const name = project.surfaces[empty.surface]!.name;
  throw new DataError(
    `surface "${name}" has no requests in the training range: they are from ${iso(empty.first)} to ${iso(empty.last)}, the range from ${iso(boundaries.from)} to ${iso(boundaries.validation)}`,
    {
      where: `surfaces.${name}`,
      expected: 'requests of every surface in the training range',
      fix: `move the split, check keys.timeUnit of "${name}", or take the surface out of the project`,
    },
  );
};

/**
 * Boundaries of the project's split over the requests in {@link ALL_REQUESTS}, which must not be empty.
 *
 * @throws DataError when a surface has no request to train on
 */
export const splitBoundaries = async (database: Database, project: Project): Promise<Boundaries> => {
  const { split } = project;
  const [range] = await queryStep<{ first: number; last: number; count: number }>(
    database,
    'the split',
    `SELECT min(${MILLISECONDS}) AS first, max(${MILLISECONDS}) AS last, count(*) AS count FROM ${ALL_REQUESTS}`,
  );
  const { first, last, count } = range!;
  let boundaries: Boundaries;
  if ('validationFrom' in split) {
    boundaries = {
      from: split.from === undefined ? first : moment('split.from', split.from),
      validation: moment('split.validationFrom', split.validationFrom),
      test: moment('split.testFrom', split.testFrom),
      until: split.until === undefined ? last + 1 : moment('split.until', split.until),
    };
  } else {
    // The small addend keeps 10 × (1 − 0.1 − 0.1) at 8 whatever the rounding of its terms.
    const rank = (fraction: number): number => Math.floor(count * fraction + 1e-6);
    const at = async (fraction: number): Promise<number> => (rank(fraction) >= count ? last + 1 : timeAtRank(database, rank(fraction)));
    boundaries = { from: first, validation: await at(1 - split.validation - split.test), test: await at(1 - split.test), until: last + 1 };
  }
  await requireTraining(database, project, boundaries);
  return boundaries;
};
