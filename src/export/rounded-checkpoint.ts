/** A trained model whose tables are rounded as an export stores them: what such an export must predict like. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCheckpoint } from '../train/checkpoint.js';
import { CHECKPOINT_FILES, type CheckpointFile, type CheckpointManifest } from '../train/checkpoint-manifest.js';
import type { Engine } from '../train/engine.js';
import { rowSize, type NamedTensor } from '../train/named-tensor.js';
import { SafetensorsFile } from '../train/safetensors.js';
import type { ExportManifest } from './manifest.js';
import { roundRows } from './table-rows.js';

/** A copy of a checkpoint with rounded tables. */
const roundTables = (checkpoint: string, manifest: CheckpointManifest, precision: ExportManifest['precision'], directory: string): void => {
  const files = CHECKPOINT_FILES.map((name) => [name, new SafetensorsFile(join(checkpoint, name))] as const);
  const tensorsOf = (source: SafetensorsFile): NamedTensor[] =>
    source.names.map((name) => {
      const stored = source.tensor(name);
      if (!name.startsWith('table.') || !name.endsWith('.weights')) return stored;
      const read: NamedTensor['read'] = (first, values) => {
        stored.read(first, values);
        roundRows(values, rowSize(stored), precision);
      };
      return { ...stored, read };
    });
  try {
    const contents = Object.fromEntries(files.map(([name, source]) => [name, tensorsOf(source)])) as Record<CheckpointFile, NamedTensor[]>;
    writeCheckpoint(directory, manifest, contents);
  } finally {
    for (const [, source] of files) source.close();
  }
};

/** Runs `work` with the engine's tables rounded; restores them afterwards. */
export const withRoundedTables = async <T>(
  { scorer, checkpoint, manifest, precision }: { readonly scorer: Engine; readonly checkpoint: string; readonly manifest: CheckpointManifest; readonly precision: ExportManifest['precision'] },
  work: () => Promise<T>,
): Promise<T> => {
  if (precision === 'fp32') return work();
  const directory = await mkdtemp(join(tmpdir(), 'onefold-rounded-'));
  try {
    roundTables(checkpoint, manifest, precision, join(directory, 'checkpoint'));
    await scorer.load(join(directory, 'checkpoint'));
    return await work();
  } finally {
    await scorer.load(checkpoint);
    await rm(directory, { recursive: true, force: true });
  }
};
