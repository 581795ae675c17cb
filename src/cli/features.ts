import { createInterface } from 'node:readline';
import { Command, InvalidArgumentError } from 'commander';
import { DataError, UsageError } from '../config/errors.js';
import type { TimeUnit } from '../data/canonical.js';
import { readUpdate } from '../serve/features/apply-update.js';
import { KEPT_EVENTS, LONGEST_TTL, type FeatureStore, type FeatureUpdate } from '../serve/features/feature-store.js';
import type { FeatureFile } from '../serve/features/feature-file.js';
import { loadFeatures } from '../serve/features/load-features.js';
import { openFeatureStore, type StoreOpening } from '../serve/features/open-feature-store.js';
import { RequestError } from '../serve/request-error.js';
import { DESCRIPTIONS } from './descriptions.js';
import { withInterrupt } from './interrupt.js';
import { compactNumber, createOutput, type CommonOptions, type Output } from './output.js';

const LOAD_EXAMPLES = `
  onefold features load features.lmdb --users users.parquet --key user_id
  onefold features load redis://127.0.0.1:6379 --items 'ads/*.parquet' --key ad_id --ttl 7d
  onefold features load features.lmdb --users users.csv --key uid --columns country=ctry age=2026-born
  onefold features load features.lmdb --events history=events.parquet --user user_id --time at --time-unit ms`;

const PUT_EXAMPLES = `
  onefold features put features.lmdb < updates.jsonl`;

const GET_EXAMPLES = `
  onefold features get features.lmdb --user u7 --sequence history`;

const PUT_HELP = `put reads one JSON object a line: {"user": ID, "features": {…}}, {"item": ID, "features": {…}} or {"event": {"sequence": NAME,
"user": ID, "time": EPOCH_MS, "fields": {…}}}, each with "ttl" in seconds or without.
`;

const EXAMPLES = `
Examples:${LOAD_EXAMPLES}${PUT_EXAMPLES}${GET_EXAMPLES}
  onefold serve .onefold/unify/exports --features features.lmdb

STORE is a folder (LMDB), redis://HOST:PORT or valkey://HOST:PORT. Columns and features are named as in the config.
${PUT_HELP}`;

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

const seconds = (text: string): number => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  if (amount === undefined || unit === undefined || Number(amount) === 0) throw new InvalidArgumentError('expected e.g. 90s, 15m, 12h or 7d');
  const total = Number(amount) * UNITS[unit]!;
  if (total > LONGEST_TTL) throw new InvalidArgumentError('expected at most ten years, 3652d');
  return total;
};

const timeUnit = (text: string): TimeUnit => {
  if (text === 's' || text === 'ms' || text === 'us') return text;
  throw new InvalidArgumentError('expected s, ms or us');
};

interface LoadFlags extends CommonOptions {
  readonly users?: string;
  readonly items?: string;
  readonly events?: string;
  readonly key?: string;
  readonly user?: string;
  readonly time?: string;
  readonly timeUnit: TimeUnit;
  readonly columns?: Readonly<Record<string, string>>;
  readonly where?: string;
  readonly ttl?: number;
}

/** Adds a `FEATURE=COLUMN` to those before it. */
const addColumn = (text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => {
  const [, feature, column] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (feature === undefined || column === undefined) throw new InvalidArgumentError('expected FEATURE=COLUMN, e.g. country=ctry');
  return { ...before, [feature]: column };
};

const sourceOf = ({ users, items, events, key, user, time, timeUnit: unit, columns, where }: LoadFlags): FeatureFile => {
  const mapping = { ...(columns === undefined ? {} : { columns }), ...(where === undefined ? {} : { where }) };
  const given = [users, items, events].filter((one) => one !== undefined);
  if (given.length !== 1) throw new UsageError('one kind of features at a time', { where: '--users', expected: 'one of --users, --items and --events', fix: 'load each with a command of its own' });
  if (events !== undefined) {
    const at = events.indexOf('=');
    if (at < 1 || user === undefined || time === undefined) {
      throw new UsageError('events need a sequence, a user and a time', { where: '--events', expected: '--events SEQUENCE=FILE --user COLUMN --time COLUMN', fix: 'name all three' });
    }
    return { kind: 'event', sequence: events.slice(0, at), file: events.slice(at + 1), user, time, timeUnit: unit, ...mapping };
  }
  if (key === undefined) throw new UsageError('which column is the id?', { where: '--key', expected: 'a column of the file', fix: 'add --key COLUMN' });
  return { kind: users === undefined ? 'item' : 'user', file: (users ?? items)!, key, ...mapping };
};

/** Writes, and drops what has expired meanwhile: whoever writes has the time. */
const writing = (location: string, work: (store: FeatureStore) => Promise<number>): Promise<number> =>
  withStore(location, async (store) => {
    const rows = await work(store);
    await store.sweep?.();
    return rows;
  });

const withStore = async <T>(location: string, work: (store: FeatureStore) => Promise<T>, options: StoreOpening = {}): Promise<T> => {
  const store = await openFeatureStore(location, { where: 'STORE', ...options });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
};

const loadCommand = (): Command =>
  new Command('load')
    .description('fill a store from a file')
    .argument('<store>', 'folder, redis://… or valkey://…')
    .option('--users <file>', 'features of users: Parquet, CSV or JSONL; a glob is fine')
    .option('--items <file>', 'features of items')
    .option('--events <SEQUENCE=FILE>', 'events of a sequence')
    .option('--key <column>', 'id of the user or item')
    .option('--user <column>', 'user of an event')
    .option('--time <column>', 'moment of an event')
    .option('--time-unit <unit>', 'of a time that is a number: s, ms or us', timeUnit, 'ms')
    .option('--columns <FEATURE=COLUMN...>', 'features that are columns of another name, or expressions; only these are loaded (default: all columns)', addColumn)
    .option('--where <condition>', 'rows to load, as an SQL condition, e.g. "action = \'click\'"')
    .option('--ttl <time>', 'what is written expires after this, e.g. 7d', seconds)
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', `\nExamples:${LOAD_EXAMPLES}\n`)
    .action(async (location: string, flags: LoadFlags) => {
      const output = createOutput(flags);
      const source = sourceOf(flags);
      const progress = output.progress('load');
      const began = performance.now();
      const told = (count: number): string => `${compactNumber(count)} rows, ${compactNumber((1000 * count) / (performance.now() - began))}/s`;
      const onProgress = (count: number): void => {
        progress.update(0, told(count));
      };
      const rows = await withInterrupt((signal) => writing(location, (store) => loadFeatures({ store, source, ttl: flags.ttl, signal, onProgress })));
      progress.done(told(rows));
      output.result({ store: location, kind: source.kind, rows });
    });

/** Updates written together. */
const BATCH = 1000;

const putLines = async (store: FeatureStore, output: Output): Promise<number> => {
  const progress = output.progress('put');
  let [line, waiting] = [0, [] as FeatureUpdate[]];
  const write = async (): Promise<void> => {
    await store.write(waiting);
    waiting = [];
    progress.update(0, `${compactNumber(line)} updates`);
  };
  for await (const text of createInterface({ input: process.stdin })) {
    line += 1;
    if (text.trim() === '') continue;
    try {
      waiting.push(readUpdate(JSON.parse(text)));
    } catch (cause) {
      await write();
      const expected = cause instanceof RequestError ? cause.expected : undefined;
      throw new DataError(`line ${line}: ${(cause as Error).message}`, { where: `line ${line}`, expected: expected ?? 'a JSON object', fix: 'correct the line; those before it are written', cause });
    }
    if (waiting.length >= BATCH) await write();
  }
  await write();
  progress.done(`${compactNumber(line)} lines`);
  return line;
};

const putCommand = (): Command =>
  new Command('put')
    .description('write updates from standard input, one JSON object a line')
    .argument('<store>', 'folder, redis://… or valkey://…')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', `
Examples:${PUT_EXAMPLES}
  echo '{"user": "u7", "features": {"country": "de"}, "ttl": 86400}' | onefold features put redis://127.0.0.1:6379

${PUT_HELP}`)
    .action(async (location: string, flags: CommonOptions) => {
      const output = createOutput(flags);
      const lines = await writing(location, (store) => putLines(store, output));
      output.result({ store: location, lines });
    });

interface GetFlags extends CommonOptions {
  readonly user?: string;
  readonly item?: string;
  readonly sequence: readonly string[];
}

const getCommand = (): Command =>
  new Command('get')
    .description('show what a store has of a user or an item')
    .argument('<store>', 'folder, redis://… or valkey://…')
    .option('--user <id>', 'a user')
    .option('--item <id>', 'an item')
    .option('--sequence <name>', "the user's events of this sequence; repeat it", (name: string, names: readonly string[]) => [...names, name], [])
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', `
Examples:${GET_EXAMPLES}
  onefold features get redis://127.0.0.1:6379 --item a1 --json
`)
    .action(async (location: string, { user, item, sequence, ...common }: GetFlags) => {
      if (user === undefined && item === undefined) throw new UsageError('get what?', { where: '--user', expected: '--user ID or --item ID', fix: 'add one' });
      const output = createOutput(common);
      const query = { userId: user, itemIds: item === undefined ? [] : [item], sequences: sequence, before: Infinity, limit: KEPT_EVENTS };
      const found = await withStore(location, (store) => store.lookup(query), { mustExist: true });
      const events = Object.fromEntries(sequence.map((name, index) => [name, found.events[index]]));
      const shown = { ...(user === undefined ? {} : { user: found.user ?? null, events }), ...(item === undefined ? {} : { item: found.items[0] ?? null }) };
      output.text(JSON.stringify(shown, undefined, 2));
      output.result(shown);
    });

const statsCommand = (): Command =>
  new Command('stats')
    .description('count what a store has')
    .argument('<store>', 'folder, redis://… or valkey://…')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', `
Examples:
  onefold features stats features.lmdb
  onefold features stats redis://127.0.0.1:6379 --json
`)
    .action(async (location: string, flags: CommonOptions) => {
      const output = createOutput(flags);
      const counts = await withStore(location, (store) => store.counts(), { mustExist: true });
      output.text(`${counts.users} users, ${counts.items} items, ${counts.histories} histories`);
      output.result(counts);
    });

/** `onefold features`: what a server looks up by user and item. */
export const featuresCommand = (): Command =>
  new Command('features')
    .description(DESCRIPTIONS.features)
    .addCommand(loadCommand())
    .addCommand(putCommand())
    .addCommand(getCommand())
    .addCommand(statsCommand())
    .addHelpText('after', EXAMPLES);
