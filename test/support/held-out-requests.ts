/** Raw rows of a file as requests, with what their export predicts for them offline. */
import { openDatabase } from '../../src/data/duckdb.js';
import { createEncoder } from '../../src/data/encode.js';
import { encodeRaw } from '../../src/export/encode-raw.js';
import type { OpenExport } from '../../src/export/open-export.js';
import { readRawRows } from '../../src/export/raw-rows.js';
import type { GoldenRequest } from './served-shop.js';

/**
 * Every request of a file, some at a time.
 *
 * @param events files with the events of sequences that training joined, by sequence
 */
export async function* heldOutRequests(exported: OpenExport, file: string, events: Readonly<Record<string, string>>): AsyncGenerator<readonly GoldenRequest[], void, undefined> {
  const { manifest, encoders } = exported;
  const database = await openDatabase({ threads: 1 });
  const encoder = createEncoder(encoders);
  try {
    for await (const rows of readRawRows(database, manifest.source, file, { directory: '/', serving: true, events })) {
      const scores = await exported.score(encodeRaw(rows, encoder, manifest.surface, true));
      yield [...rows.requestRows].map((from, index) => {
        const to = rows.requestRows[index + 1] ?? rows.candidateCount;
        return {
          requestId: rows.requestIds[from]!,
          viewType: rows.viewTypes[from]!,
          time: rows.times[from]!,
          from,
          to,
          rows,
          scores: Object.fromEntries(manifest.tasks.map((task) => [task, Array.from(scores[task]!.subarray(from, to))])),
        };
      });
    }
  } finally {
    database.close();
  }
}
