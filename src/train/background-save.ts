import { Worker } from 'node:worker_threads';
import { writeCheckpoints, type CheckpointTarget } from './checkpoint.js';
import type { CheckpointManifest } from './checkpoint-manifest.js';
import { contentBytes, snapshotBuffers, takeSnapshot, type CheckpointContents } from './checkpoint-snapshot.js';
import type { WriteReply, WriteRequest } from './checkpoint-writer.js';
import { unpackError } from './transferred-error.js';

/** A larger state is not copied in memory: it is written while training waits. */
export const SNAPSHOT_BYTES = 512 * 2 ** 20;

interface Waiting {
  readonly resolve: (manifest: CheckpointManifest) => void;
  readonly reject: (error: Error) => void;
}

/** Writes checkpoints in a thread of its own, started by the first, in the order they are asked for. */
export class BackgroundSave {
  readonly #limit: number;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 0;

  /** @param limit bytes of the largest state that is copied */
  constructor(limit = SNAPSHOT_BYTES) {
    this.#limit = limit;
  }

  /**
   * Saves the state as it is when this is called: a small one is copied at once and written later, a large one is written
   * before this returns.
   *
   * @throws IoError (rejects) when the file system refuses; the folder is as before
   */
  save(targets: readonly CheckpointTarget[], contents: CheckpointContents): Promise<CheckpointManifest> {
    if (contentBytes(contents) > this.#limit) {
      return new Promise((resolve) => {
        resolve(writeCheckpoints(targets, contents));
      });
    }
    const snapshot = takeSnapshot(contents);
    const worker = (this.#worker ??= this.#start());
    this.#nextId += 1;
    const id = this.#nextId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, targets, snapshot } satisfies WriteRequest, snapshotBuffers(snapshot));
    });
  }

  /** Ends the thread, when nothing is being written. */
  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL('./checkpoint-writer.js', import.meta.url));
    worker.on('message', (reply: WriteReply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(unpackError(reply.error));
      else waiting?.resolve(reply.manifest);
    });
    const stop = (error: Error): void => {
      this.#worker = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    worker.on('error', stop);
    worker.on('exit', () => {
      stop(new Error('the thread that writes checkpoints stopped'));
    });
    return worker;
  }
}
