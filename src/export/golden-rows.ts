import { join } from 'node:path';
import { openDatabase, quoteIdentifier, quoteLiteral } from '../data/duckdb.js';
import { createEncoder } from '../data/encode.js';
import type { EncoderSet } from '../data/encoder-state.js';
import { encodeRaw } from './encode-raw.js';
import { EXPORT_FILES } from './manifest.js';
import type { OpenExport } from './open-export.js';
import { readRawRows } from './raw-rows.js';
import type { RawSchema } from './raw-schema.js';

/** Raw rows kept, at most. */
const GOLDEN_ROWS = 64;

/** Column of a task's probability. */
export const probabilityColumn = (task: string): string => `probability.${task}`;

/**
 * Writes `golden.parquet`: a few held-out rows with raw values and the probabilities the export serves for them, so that
 * whoever loads the export can check at start-up that it predicts what it did here.
 */
export const writeGoldenRows = async (options: {
  readonly directory: string;
  readonly schema: RawSchema;
  readonly encoders: EncoderSet;
  /** Raw held-out rows of the surface; probabilities that they have are left out. */
  readonly rawFile: string;
  readonly exported: Pick<OpenExport, 'score'>;
}): Promise<void> => {
  const { directory, schema, encoders, rawFile, exported } = options;
  const encoder = createEncoder(encoders);
  const golden = join(directory, EXPORT_FILES.golden);
  const database = await openDatabase({ threads: 1 });
  try {
    // Candidates come in request order: the first rows are whole requests but for the last one.
    const source = `FROM read_parquet(${quoteLiteral(rawFile)})`;
    const found = await database.rows<{ column_name: string }>(`DESCRIBE SELECT * ${source}`);
    const columns = found.map((column) => column.column_name).filter((column) => !column.startsWith(probabilityColumn('')));
    const rawRows = `SELECT ${columns.map(quoteIdentifier).join(', ')}, row_number() OVER () AS "@row" ${source} LIMIT ${GOLDEN_ROWS}`;
    await database.run(`COPY (SELECT * EXCLUDE ("@row") FROM (${rawRows}) ORDER BY "@row") TO ${quoteLiteral(golden)} (FORMAT parquet)`);
    for await (const rows of readRawRows(database, schema, golden, { directory: '/', serving: true })) {
      const probabilities = await exported.score(encodeRaw(rows, encoder, schema.surface.name, true));
      const lists = Object.entries(probabilities).map(([task, values]) => {
        const list = Array.from(values.subarray(0, rows.candidateCount), (value) => `${value}::FLOAT`).join(', ');
        return `([${list}])["@row"] AS ${quoteIdentifier(probabilityColumn(task))}`;
      });
      await database.run(`CREATE TABLE golden AS SELECT *, ${lists.join(', ')} FROM (${rawRows})`);
    }
    await database.run(`COPY (SELECT * EXCLUDE ("@row") FROM golden ORDER BY "@row") TO ${quoteLiteral(golden)} (FORMAT parquet, COMPRESSION zstd)`);
  } finally {
    database.close();
  }
};
