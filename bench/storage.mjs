/**
 * `npm run bench:storage [-- REQUESTS]`: how much smaller is a request-grouped prepared dataset than the same rows
 * expanded? Both are zstd Parquet written by DuckDB; the expanded files get the row-group size that suits them best. Rows
 * of a request are adjacent in one of them, which lets zstd find most repeats, and shuffled as training needs them in the
 * other. Real logs are measured too where they are (REAL_LOGS, default ../shared/data), without a target.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openDatabase } from '../dist/data/duckdb.js';
import { deriveConfig, onefold, ROOT } from './onefold.mjs';
import { openReport } from './report.mjs';
import { writeStorageLog } from './storage-log.mjs';

const requests = Number(process.argv[2] ?? 8_000);
const TARGET = { atLeast: 10 };
const ROW_GROUPS = [8_192, 16_384, 122_880];
const REAL = process.env.REAL_LOGS ?? resolve(ROOT, '..', 'shared', 'data');
const REAL_LOGS = [
  ['kuairand', 'kuairand_pure_apr25_may08'],
  ['ebnerd', 'ebnerd_demo'],
];

const work = mkdtempSync(join(tmpdir(), 'onefold-storage-'));
const note = (text) => process.stdout.write(`${text}\n`);
const report = openReport();

const OFFSETS = '"@candidate_offset", "@candidate_count"';

/** Bytes of `query` as zstd Parquet. */
const sizeOf = async (database, query, rowGroup) => {
  const file = join(work, 'written.parquet');
  await database.run(`COPY (${query}) TO '${file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroup})`);
  return statSync(file).size;
};

/** Bytes with the best of the row-group sizes; rows are put together once. */
const smallest = async (database, rows) => {
  await database.run(`CREATE OR REPLACE TEMP TABLE rows AS ${rows}`);
  const sizes = [];
  for (const rowGroup of ROW_GROUPS) sizes.push(await sizeOf(database, 'FROM rows', rowGroup));
  return Math.min(...sizes);
};

const filesOf = (folder, side) => readdirSync(folder).filter((file) => file.startsWith(side)).map((file) => join(folder, file));
const bytesOf = (files) => files.reduce((sum, file) => sum + statSync(file).size, 0);

/** Measures the training split of a prepared dataset. */
const measure = async (name, prepared, target) => {
  const database = await openDatabase({ threads: 2, memoryLimit: '3GB', tempDirectory: join(work, 'spill') });
  const folder = join(prepared, 'train');
  const [requestFiles, candidateFiles] = [filesOf(folder, 'requests'), filesOf(folder, 'candidates')];
  const list = (files) => `read_parquet([${files.map((file) => `'${file}'`).join(', ')}])`;
  const expandedRequests = `SELECT * EXCLUDE (${OFFSETS}, n) FROM (SELECT *, unnest(range("@candidate_count")) AS n FROM ${list(requestFiles)})`;
  const expanded = `SELECT * FROM (${expandedRequests}) POSITIONAL JOIN ${list(candidateFiles)}`;
  const [{ rows, requests: count }] = await database.rows(`SELECT sum("@candidate_count") AS rows, count(*) AS requests FROM ${list(requestFiles)}`);
  note(`${name}: ${rows} candidates of ${count} requests`);
  const record = (what, ours, peer, goal) => {
    report.record(`${name}: ${what}`, { ours: ours / 1e6, peer: peer / 1e6, unit: 'MB', ...(goal === undefined ? {} : { target: goal }) });
  };
  const [ourRequests, ourCandidates] = [bytesOf(requestFiles), bytesOf(candidateFiles)];
  const shuffle = (query, key) => `SELECT * EXCLUDE (${key}) FROM (${query}) ORDER BY hash(${key}, 'shuffled')`;
  const numbered = `SELECT *, row_number() OVER () AS place FROM`;
  const adjacentRequests = await smallest(database, expandedRequests);
  const shuffledRequests = await smallest(database, shuffle(`${numbered} (${expandedRequests})`, 'place'));
  record('request columns, against rows shuffled for training', ourRequests, shuffledRequests, target);
  record('request columns, against rows of a request adjacent', ourRequests, adjacentRequests, target);
  record('all columns, against rows shuffled for training', ourRequests + ourCandidates, await smallest(database, shuffle(`${numbered} (${expanded})`, 'place')));
  record('all columns, against rows of a request adjacent', ourRequests + ourCandidates, await smallest(database, expanded));
  record('candidate columns (stored alike)', ourCandidates, await smallest(database, `SELECT * FROM ${list(candidateFiles)}`));
  database.close();
};

try {
  note(`write a log of ${requests} requests`);
  const log = join(work, 'log');
  const database = await openDatabase({ threads: 2 });
  await writeStorageLog(database, log, requests);
  database.close();
  note('prepare');
  onefold('prepare', '--config', log);
  await measure('user-heavy', join(log, '.onefold', 'prepared'), TARGET);
  for (const [example, folder] of REAL_LOGS) {
    const data = join(REAL, folder);
    if (!existsSync(data)) {
      note(`\nSKIPPED ${example}: there are no logs in ${data} (set REAL_LOGS)`);
      continue;
    }
    const workspace = join(work, example);
    onefold('prepare', '--config', deriveConfig(example, 'storage', { workspace }), '--data', data);
    await measure(example, join(workspace, 'prepared'));
  }
  report.write('storage');
} finally {
  rmSync(work, { recursive: true, force: true });
}
