/** One loaded version of an export, in a worker thread: packed requests in, probabilities out. */
import type { UserCache } from './user-cache.js';

/** What a run did. */
export interface RunStatistics {
  /** Requests whose request side was encoded, and those found in the cache. */
  readonly encodedUsers: number;
  readonly cachedUsers: number;
  /** Events of the sequences, and places of the rectangles they were padded to. */
  readonly tokens: number;
  readonly places: number;
  /** Milliseconds in ONNX Runtime. */
  readonly runMs: number;
}

export interface RunResult {
  /** `[tasks, candidates]` of all requests one after the other, tasks in the order of the manifest. */
  readonly scores: Float32Array;
  readonly statistics: RunStatistics;
}

/** Scores packed requests of one version. Not for two calls at a time. */
export interface VersionScorer {
  score(requests: readonly ArrayBuffer[]): Promise<RunResult>;
  close(): Promise<void>;
}

/** What opening a version needs. */
export interface VersionSpec {
  /** Names it among the loaded versions. */
  readonly key: string;
  readonly directory: string;
  readonly threads: number;
  readonly cache: UserCache | undefined;
}
