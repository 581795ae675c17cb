/**
 * A project of two surfaces and a few hundred rows, for tests that run the whole command line: `home` logs Parquet with
 * an in-row history, `search` logs CSV. Small enough that every command takes about a second.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectConfig } from '../../src/config/project.js';
import { openDatabase, quoteLiteral } from '../../src/data/duckdb.js';

const CONFIG: ProjectConfig = {
  name: 'tiny',
  surfaces: {
    home: { source: { files: 'logs/home.parquet' } },
    search: { source: { files: 'logs/search.csv' } },
  },
  features: {
    country: { kind: 'categorical', side: 'request' },
    age: { kind: 'number', side: 'request', surfaces: ['home'] },
    query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
    recent: { kind: 'sequence', length: 5, surfaces: ['home'], time: 'recent_time', fields: { ad: { column: 'recent', table: 'ad_id' } } },
    ad_id: { kind: 'categorical', side: 'candidate' },
    price: { kind: 'number', side: 'candidate' },
    scores: { kind: 'vector', side: 'candidate', size: 2, surfaces: ['home'] },
  },
  tasks: { click: { label: 'clicked' } },
  models: {
    unified: { preset: 'unified', embedding: { width: 4 }, cross: { layers: 1 }, mlp: [8], tower: [4] },
    linear: { preset: 'linear' },
  },
  training: { batchSize: 64, epochs: 2, threads: 1, warmupSteps: 2 },
};

/** SQL of a whole number below `below`: a hash of a row's place, so the same every time. */
const draw = (below: number, ...place: readonly (string | number)[]): string => `CAST(hash(${place.join(', ')}) % ${below} AS INTEGER)`;

/** Rows of so many requests, `minutes` apart, with three candidates each. */
const rowsOf = (prefix: string, requests: number, minutes: number): string => `
  SELECT r, c, '${prefix}' || r AS request_id, 'u' || ${draw(40, 'r')} AS user_id,
    TIMESTAMP '2025-01-01' + r * INTERVAL ${minutes} MINUTE AS time,
    ['de', 'fr', 'it'][1 + ${draw(3, 'r', 1)}] AS country,
    'a' || ${draw(25, 'r', 'c', 2)} AS ad_id,
    ${draw(1000, 'r', 'c', 3)} / 100 AS price,
    CAST(${draw(100, 'r', 'c', 4)} < 20 + 2 * ${draw(25, 'r', 'c', 2)} AS INTEGER) AS clicked
  FROM range(${requests}) AS requests(r), range(3) AS candidates(c) ORDER BY r, c`;

const HOME = `SELECT * EXCLUDE (r, c), 18.0::DOUBLE + ${draw(50, 'r', 5)} AS age,
    list_transform(range(r % 4), lambda i: 'a' || ${draw(25, 'r', 'i')}) AS recent,
    list_transform(range(r % 4), lambda i: epoch_ms(time) - 60000 * (4 - i)) AS recent_time,
    [price / 10, 1.0] AS scores
  FROM (${rowsOf('h', 120, 60)})`;
const SEARCH = `SELECT * EXCLUDE (r, c), ['shoes', 'hats', 'coats'][1 + ${draw(3, 'r', 6)}] AS query FROM (${rowsOf('s', 100, 72)})`;

const LOGS = { home: 'logs/home.parquet', search: 'logs/search.csv' } as const;

const run = async (...statements: readonly string[]): Promise<void> => {
  const database = await openDatabase({ threads: 1 });
  try {
    for (const sql of statements) await database.run(sql);
  } finally {
    database.close();
  }
};

const formatOf = (file: string): string => (file.endsWith('.csv') ? 'FORMAT csv, HEADER' : 'FORMAT parquet');

/** A tiny project's folder, and ways to spoil it. */
export class TinyProject {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Writes logs and config into a folder. */
  static async create(directory: string): Promise<TinyProject> {
    const project = new TinyProject(directory);
    mkdirSync(project.path('logs'), { recursive: true });
    await run(
      `COPY (${HOME}) TO ${quoteLiteral(project.path(LOGS.home))} (${formatOf(LOGS.home)})`,
      `COPY (${SEARCH}) TO ${quoteLiteral(project.path(LOGS.search))} (${formatOf(LOGS.search)})`,
    );
    writeFileSync(project.path('onefold.config.json'), JSON.stringify(CONFIG));
    return project;
  }

  /** The project again, with all that was made of it, in another folder. */
  copyTo(directory: string): TinyProject {
    cpSync(this.directory, directory, { recursive: true });
    return new TinyProject(directory);
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** Absolute path of a surface's log. */
  log(surface: keyof typeof LOGS): string {
    return this.path(LOGS[surface]);
  }

  /** Replaces a surface's log by a query over it, named `log`. */
  async alterLog(surface: keyof typeof LOGS, sql: string): Promise<void> {
    const file = this.log(surface);
    const format = formatOf(file);
    const read = format.includes('csv') ? 'read_csv' : 'read_parquet';
    await run(`CREATE TEMP TABLE log AS FROM ${read}(${quoteLiteral(file)})`, `COPY (${sql}) TO ${quoteLiteral(`${file}.altered`)} (${format})`);
    renameSync(`${file}.altered`, file);
  }

  /** Writes a query over a surface's log, named `log`, into a file beside it. */
  async writeRows(file: string, surface: keyof typeof LOGS, sql: string): Promise<string> {
    const path = this.path(file);
    const read = this.log(surface).endsWith('.csv') ? 'read_csv' : 'read_parquet';
    await run(`CREATE TEMP TABLE log AS FROM ${read}(${quoteLiteral(this.log(surface))})`, `COPY (${sql}) TO ${quoteLiteral(path)} (${formatOf(file)})`);
    return path;
  }

  /** Sets an option by its dotted path; `undefined` removes it. */
  set(option: string, value: unknown): void {
    const file = this.path('onefold.config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    const names = option.split('.');
    let at = config;
    for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    at[names.at(-1)!] = value;
    writeFileSync(file, JSON.stringify(config));
  }

  /** SHA-256 of every file below the project's folder, by relative path; empty folders count as files. */
  contents(): Readonly<Record<string, string>> {
    const files: Record<string, string> = {};
    for (const entry of readdirSync(this.directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(this.directory.length + 1);
      if (entry.isFile()) files[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
      else if (entry.isDirectory() && readdirSync(path).length === 0) files[`${name}/`] = 'empty folder';
    }
    return files;
  }

  has(...parts: readonly string[]): boolean {
    return existsSync(this.path(...parts));
  }

  remove(...parts: readonly string[]): void {
    rmSync(this.path(...parts), { recursive: true });
  }
}
