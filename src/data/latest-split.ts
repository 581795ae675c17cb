import type { PreparedManifest, Split } from './prepared.js';

/** The latest split with rows of a surface: where its raw rows are from. */
export const latestSplit = (manifest: Pick<PreparedManifest, 'splits'>, surface: string): Split =>
  (['test', 'validation', 'train'] as const).find((split) => (manifest.splits[split].counts[surface]?.candidates ?? 0) > 0)!;
