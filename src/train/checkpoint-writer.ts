/** The thread that writes checkpoints while the engine's thread trains on. */
import { parentPort } from 'node:worker_threads';
import type { CheckpointTarget } from './checkpoint.js';
import { writeCheckpoints } from './checkpoint.js';
import { snapshotContents, type CheckpointSnapshot } from './checkpoint-snapshot.js';
import type { CheckpointManifest } from './checkpoint-manifest.js';
import { packError, type TransferredError } from './transferred-error.js';

export interface WriteRequest {
  readonly id: number;
  readonly targets: readonly CheckpointTarget[];
  readonly snapshot: CheckpointSnapshot;
}

export type WriteReply = { readonly id: number; readonly manifest: CheckpointManifest } | { readonly id: number; readonly error: TransferredError };

const port = parentPort!;
port.on('message', ({ id, targets, snapshot }: WriteRequest) => {
  const written = (): WriteReply => {
    try {
      return { id, manifest: writeCheckpoints(targets, snapshotContents(snapshot)) };
    } catch (error) {
      return { id, error: packError(error) };
    }
  };
  port.postMessage(written());
});
