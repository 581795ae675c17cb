/** What the main thread and a scoring worker say to each other. */
import type { TransferredError } from '../../train/transferred-error.js';
import type { RunStatistics } from './version-scorer.js';

/** A version a worker opens when it starts. */
export interface WorkerVersion {
  readonly key: string;
  readonly directory: string;
}

export interface WorkerSpec {
  readonly versions: readonly WorkerVersion[];
  /** Threads of ONNX Runtime and of lookups. */
  readonly threads: number;
  /** Bytes of encoded users that are kept; 0: none. */
  readonly userCacheBytes: number;
}

/** One run: packed requests of one version. */
export interface RunCall {
  readonly id: number;
  readonly key: string;
  readonly requests: readonly ArrayBuffer[];
}

export type WorkerReply =
  | { readonly ready: true }
  /** A version did not open. */
  | { readonly failed: TransferredError; readonly key: string }
  | { readonly id: number; readonly scores: Float32Array; readonly statistics: RunStatistics }
  | { readonly id: number; readonly error: TransferredError };
