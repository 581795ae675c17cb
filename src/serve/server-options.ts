/** Everything about a server that can be set, with what holds where nothing is. */
import { availableParallelism } from 'node:os';

export interface ServerOptions {
  /** Folders of exports, or of folders of exports; or a registry. */
  readonly exports: readonly string[];
  readonly registry: string | undefined;
  readonly s3Endpoint: string | undefined;
  /** Other versions to load beside the current and the previous ones, `surface=version`. */
  readonly alsoLoad: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number | undefined;
  readonly adminHost: string;
  readonly adminPort: number | undefined;
  /** Threads that score. */
  readonly workers: number;
  /** Threads of each of them. */
  readonly threads: number;
  readonly maxBatchRequests: number;
  readonly maxBatchCandidates: number;
  readonly batchWaitMs: number;
  readonly userCacheMb: number;
  readonly maxQueue: number;
  readonly maxWaitMs: number;
  readonly timeoutMs: number;
  readonly priorities: Readonly<Record<string, number>>;
  readonly maxBodyBytes: number;
  readonly maxCandidates: number;
  readonly maxHeaderBytes: number;
  /** Milliseconds that a client may take to send a request. */
  readonly receiveMs: number;
  readonly features: string | undefined;
  readonly featureTimeoutMs: number;
  readonly featureLog: string | undefined;
  readonly featureLogSample: number;
  /** Files are written this often, at least. */
  readonly featureLogSeconds: number;
  readonly tokenFile: string | undefined;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  /** Certificates of which one must have signed what a client shows. */
  readonly tlsClientCa: string | undefined;
  /** The admin port has the same certificates. */
  readonly adminTls: boolean;
  readonly drainSeconds: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly traceEndpoint: string | undefined;
  readonly traceSample: number;
}

/** A core for the event loop, the others for scoring. */
const scoringThreads = (): number => Math.max(1, availableParallelism() - 1);

export const DEFAULT_SERVER_OPTIONS: ServerOptions = {
  exports: [],
  registry: undefined,
  s3Endpoint: undefined,
  alsoLoad: [],
  host: '127.0.0.1',
  port: 8080,
  grpcPort: undefined,
  adminHost: '127.0.0.1',
  adminPort: undefined,
  workers: scoringThreads(),
  threads: 1,
  maxBatchRequests: 16,
  maxBatchCandidates: 1024,
  batchWaitMs: 0,
  userCacheMb: 0,
  maxQueue: 256,
  maxWaitMs: 100,
  timeoutMs: 1000,
  priorities: {},
  maxBodyBytes: 4 * 1024 * 1024,
  maxCandidates: 5000,
  maxHeaderBytes: 16 * 1024,
  receiveMs: 10_000,
  features: undefined,
  featureTimeoutMs: 20,
  featureLog: undefined,
  featureLogSample: 1,
  featureLogSeconds: 60,
  tokenFile: undefined,
  tlsCert: undefined,
  tlsKey: undefined,
  tlsClientCa: undefined,
  adminTls: false,
  drainSeconds: 20,
  logLevel: 'info',
  traceEndpoint: undefined,
  traceSample: 0.01,
};
