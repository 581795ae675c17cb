/** A temporary folder with log files of surfaces in it, and projects over them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Project, ProjectConfig } from '../../src/config/project.js';
import { resolveProject } from '../../src/config/resolve.js';
import { openDatabase } from '../../src/data/duckdb.js';

export interface LogWorkplace {
  readonly directory: string;
  path(name: string): string;
  /** Writes the rows of a query to a file, in the format of its extension. */
  write(file: string, select: string): Promise<void>;
  /** Rows of a query; `@/` stands for the folder. */
  rows<T>(sql: string): Promise<T[]>;
  project(config: ProjectConfig): Project;
  remove(): void;
}

const copyOptions = (file: string): string => {
  if (file.includes('.parquet')) return '(FORMAT parquet)';
  return file.includes('.csv') ? '(FORMAT csv, HEADER)' : '(FORMAT json)';
};

export const createLogWorkplace = (): LogWorkplace => {
  const directory = mkdtempSync(join(tmpdir(), 'onefold-'));
  const using = async <T>(use: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>): Promise<T> => {
    const database = await openDatabase();
    try {
      return await use(database);
    } finally {
      database.close();
    }
  };
  return {
    directory,
    path: (name) => join(directory, name),
    write: (file, select) => using((database) => database.run(`COPY (${select}) TO '${join(directory, file)}' ${copyOptions(file)}`)),
    rows: (sql) => using((database) => database.rows(sql.replaceAll('@/', `${directory}/`))),
    project: (config) => resolveProject(config, { file: join(directory, 'onefold.config.ts') }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
};

/** Epoch ms of the first request of {@link requestLog}. */
export const LOG_START = Date.UTC(2024, 0, 1);

/**
 * A query that gives a plain log: `requests` requests of `candidates` candidates, a minute apart, with `request_id`,
 * `user_id`, `time` (epoch ms), `country`, `age`, `ad`, `price` and `click`.
 */
export const requestLog = ({ requests = 40, candidates = 3, prefix = 'r', columns = '' }: { requests?: number; candidates?: number; prefix?: string; columns?: string } = {}): string => `
  SELECT '${prefix}' || r AS request_id, 'u' || (r % 7) AS user_id, ${LOG_START} + r * 60000 AS time,
    CASE WHEN r % 5 = 0 THEN NULL ELSE 'c' || (r % 3) END AS country, 20 + r % 30 AS age,
    'ad' || ((r * 7 + c * 5) % 60) AS ad, 1.5 + c AS price, (r + c) % 4 = 0 AS click, c AS position, r, c ${columns}
  FROM (SELECT i // ${candidates} AS r, i % ${candidates} AS c FROM range(${requests * candidates}) t(i))`;

/** The config that fits {@link requestLog}, for one surface `home` in `home.parquet`. */
export const homeConfig: ProjectConfig = {
  name: 'logs',
  workspace: 'work',
  surfaces: { home: { source: { files: 'home.parquet' } } },
  features: {
    country: { kind: 'categorical', side: 'request' },
    age: { kind: 'number', side: 'request' },
    ad: { kind: 'categorical', side: 'candidate' },
    price: { kind: 'number', side: 'candidate' },
  },
  tasks: { click: { label: 'click' } },
  split: { validation: 0.1, test: 0.2 },
};
