/** How an engine works, and whom it tells. */
import type { RequestErrorCode } from '../request-error.js';
import type { AdmissionLimits } from './admission.js';
import type { BatchLimits } from './batch-queue.js';
import type { BatchReport } from './generation.js';

/** What an engine tells of its work, for metrics and logs. */
export interface EngineEvents {
  readonly batch?: (batch: BatchReport) => void;
  readonly workerGone?: (reason: string) => void;
  /** A thread that was to take the place of another did not start; it is tried again. */
  readonly workerFailed?: (error: unknown) => void;
  /** A request was not scored. */
  readonly refused?: (surface: string, reason: RequestErrorCode) => void;
}

export interface EngineOptions {
  readonly workers: number;
  /** Threads of each worker's ONNX Runtime. */
  readonly threads: number;
  readonly userCacheBytes: number;
  readonly batch: BatchLimits;
  /** Milliseconds that a request waits for others when a thread is idle; 0: only those of the same turn of the event loop. */
  readonly batchWaitMs: number;
  readonly admission: AdmissionLimits;
  /** Milliseconds for requests that name no deadline. */
  readonly timeoutMs: number;
  /** Of surfaces; 0 where none is given. Higher goes first. */
  readonly priorities: Readonly<Record<string, number>>;
  readonly events: EngineEvents;
}
