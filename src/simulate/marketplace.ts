import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OnefoldError, UsageError } from '../config/errors.js';
import { writeWholeFolder } from '../data/whole-folder.js';
import type { ColumnSpec } from './column-buffer.js';
import type { SurfaceFloor } from './entropy-floor.js';
import { eventColumns } from './event-columns.js';
import { logColumns } from './log-columns.js';
import type { MarketplaceSizes } from './marketplace-sizes.js';
import { createWorld } from './marketplace-world.js';
import { checkOutputFolder, MARKETPLACE_FILE } from './output-folder.js';
import { openWriterDatabase, ParquetParts } from './parquet-parts.js';
import { simulateLog } from './simulate-log.js';
import { DAY_MS, LOG_START_MS } from './simulated-clock.js';
import { SURFACES } from './surface-definitions.js';
import type { SurfaceName } from './surface-definitions.js';

export interface SimulateOptions {
  /** Folder to write; must be new or empty unless `force` replaces an earlier marketplace. */
  readonly directory: string;
  /** Candidates to aim at, over all surfaces, at least 1 000: the log has about as many. */
  readonly candidates: number;
  /** A 32-bit integer: the same seed, candidates and days give the same bytes. */
  readonly seed: number;
  /** Days of the log, 2 to 365. Default 14. */
  readonly days?: number;
  readonly force?: boolean;
  /** Called now and then with the candidates simulated so far. */
  readonly onProgress?: (candidates: number) => void;
  readonly signal?: AbortSignal;
}

/** What `marketplace.json` holds. */
export interface SimulationSummary {
  readonly seed: number;
  readonly days: number;
  /** ISO date-times: the log covers `[from, until)`. */
  readonly from: string;
  readonly until: string;
  readonly requests: number;
  readonly candidates: number;
  readonly events: number;
  readonly sizes: MarketplaceSizes;
  /** Per surface: counts and, per task, base rate and the entropy of the true probabilities. */
  readonly surfaces: Readonly<Record<SurfaceName, SurfaceFloor>>;
}

const FEWEST_CANDIDATES = 1_000;
/** Request ids, a surface's rows, stay within 32 bits. */
const MOST_CANDIDATES = 10_000_000_000;
/** Candidates of a surface, and events, in one Parquet file. */
const PART_CANDIDATES = 250_000;
const PART_EVENTS = 1_000_000;

const checkOptions = (candidates: number, seed: number, days: number): void => {
  const check = (option: string, value: number, low: number, high: number): void => {
    if (Number.isInteger(value) && value >= low && value <= high) return;
    const expected = `a whole number from ${low} to ${high}`;
    throw new UsageError(`${option} is ${value}`, { where: option, expected, fix: `give ${option} ${expected}` });
  };
  check('candidates', candidates, FEWEST_CANDIDATES, MOST_CANDIDATES);
  check('seed', seed, -(2 ** 31), 2 ** 31 - 1);
  check('days', days, 2, 365);
};

/**
 * Simulates a marketplace of three surfaces and writes its logs and engagement events as Parquet, in time order and in
 * bounded memory: `logs/<surface>/part-*.parquet` with a row a request and candidates as lists (layout `request`),
 * `events/part-*.parquet` with a row an engagement, and `marketplace.json`. The folder appears only when it is whole.
 *
 * @throws UsageError for options out of range, or a folder that may not be replaced
 * @throws IoError when the folder cannot be written
 * @throws OnefoldError `interrupted` when `signal` aborts
 */
export const simulateMarketplace = async (options: SimulateOptions): Promise<SimulationSummary> => {
  const { directory, candidates, seed, days = 14, force = false, onProgress, signal } = options;
  checkOptions(candidates, seed, days);
  const check = (): void => {
    if (signal?.aborted === true) throw new OnefoldError('interrupted', 'the simulation was interrupted; nothing was written', { where: directory });
  };
  await checkOutputFolder(directory, force);
  return writeWholeFolder(directory, async (folder) => {
    const world = createWorld(candidates, seed, days);
    const { connection, close } = await openWriterDatabase();
    const open = async (table: string, path: string, columns: readonly ColumnSpec[], partValues: number): Promise<ParquetParts> => {
      await mkdir(join(folder, path), { recursive: true });
      return new ParquetParts({ connection, folder: join(folder, path), table, columns, partValues });
    };
    try {
      const logs: ParquetParts[] = [];
      for (const surface of SURFACES) {
        logs.push(await open(surface.name, `logs/${surface.name}`, logColumns(world, surface), PART_CANDIDATES));
      }
      const events = await open('events', 'events', eventColumns(world), PART_EVENTS);
      const { tally, events: eventCount } = await simulateLog(world, candidates, { logs, events }, { onProgress, check });
      const floors = SURFACES.map((surface, index): [SurfaceName, SurfaceFloor] => [surface.name, tally.floor(index)]);
      const summary: SimulationSummary = {
        seed,
        days,
        from: new Date(LOG_START_MS).toISOString(),
        until: new Date(LOG_START_MS + days * DAY_MS).toISOString(),
        requests: floors.reduce((sum, [, floor]) => sum + floor.requests, 0),
        candidates: floors.reduce((sum, [, floor]) => sum + floor.candidates, 0),
        events: eventCount,
        sizes: world.sizes,
        surfaces: Object.fromEntries(floors) as Record<SurfaceName, SurfaceFloor>,
      };
      await writeFile(join(folder, MARKETPLACE_FILE), `${JSON.stringify(summary, null, 2)}\n`);
      return summary;
    } finally {
      close();
    }
  });
};
