import type { Database, RawColumn } from '../data/duckdb.js';
import type { Encoder } from '../data/encode.js';
import { labelColumn, STAGED } from '../data/staged.js';
import type { Predictions } from '../evaluate/predictions.js';
import { newRowNumbers } from '../evaluate/unscored-rows.js';
import { encodeRaw } from './encode-raw.js';
import type { OpenExport } from './open-export.js';
import { readRawRows, type RawRows } from './raw-rows.js';
import type { RawSchema } from './raw-schema.js';

export interface LabelledRowsOptions {
  readonly schema: RawSchema;
  readonly encoder: Encoder;
  readonly exported: Pick<OpenExport, 'score'>;
  readonly tasks: readonly string[];
  /** Raw rows with labels. */
  readonly file: string;
  /** Files with the events of sequences that training joined, by sequence. */
  readonly events: Readonly<Record<string, string>>;
}

const labelsOf = ({ columns, candidateCount }: RawRows, task: string): Float32Array => {
  const column = columns.get(labelColumn(task)) as Extract<RawColumn, { type: 'number' }>;
  return Float32Array.from({ length: candidateCount }, (_, row) => (column.valid(row) ? column.values[row]! : NaN));
};

/**
 * Scores the labelled rows of a surface's own logs, a chunk at a time. Training-only features are as logged: the labels came
 * about at these values.
 *
 * @throws DataError naming the missing column, or the first row that does not fit
 */
export async function* scoreLabelled(database: Database, options: LabelledRowsOptions): AsyncGenerator<Predictions, void, undefined> {
  const { schema, encoder, exported, tasks, file, events } = options;
  const surface = schema.surface.name;
  const numbers = newRowNumbers();
  let last: string | undefined;
  for await (const rows of readRawRows(database, schema, file, { directory: process.cwd(), serving: false, labels: true, events })) {
    const encoded = encodeRaw(rows, encoder, surface, false);
    const probabilities = await exported.score(encoded);
    const users = (rows.columns.get(STAGED.userId) as Extract<RawColumn, { type: 'string' }>).values;
    const requests = new Int32Array(rows.candidateCount);
    rows.requestIds.forEach((id, row) => {
      if (id !== last) numbers.requests += 1;
      last = id;
      requests[row] = numbers.requests - 1;
    });
    yield {
      count: rows.candidateCount,
      surfaceNames: [surface],
      viewTypeNames: encoder.set.viewTypes,
      surfaces: new Int32Array(rows.candidateCount),
      viewTypes: Int32Array.from(rows.rowToRequest, (request) => encoded.viewTypes[request]!),
      users: Int32Array.from(users, (name) => {
        const known = numbers.users.get(name!) ?? numbers.users.size;
        numbers.users.set(name!, known);
        return known;
      }),
      requests,
      tasks: tasks.map((task) => ({ task, labels: labelsOf(rows, task), probabilities: probabilities[task]! })),
    };
  }
}
