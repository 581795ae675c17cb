import { Command, InvalidArgumentError, Option } from 'commander';
import { endThreads } from '../config/stoppable-thread.js';
import { DEFAULT_SERVER_OPTIONS, type ServerOptions } from '../serve/server-options.js';
import { startServer } from '../serve/server.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';

const D = DEFAULT_SERVER_OPTIONS;

const EXAMPLES = `
Examples:
  onefold serve .onefold/unify/exports
  onefold serve --registry registry --admin-port 9090
  onefold serve --registry s3://models/ads --host 0.0.0.0 --grpc-port 8081 --token-file tokens --workers 4
  onefold serve exports/search --features features.lmdb --feature-log served/ --feature-log-sample 0.01

Then, for example:
  curl -s http://127.0.0.1:8080/readyz
  curl -s http://127.0.0.1:8080/openapi.json
  curl -s http://127.0.0.1:8080/v1/score -H 'content-type: application/json' -d '{"surface": "search", "features": {}, "candidates": [{}]}'

It ends on SIGTERM or Ctrl-C once every request that came before is answered. docs/serving.md tells the rest.
`;

const number = (least: number, most: number, whole: boolean) => (text: string): number => {
  const value = text.trim() === '' ? NaN : Number(text);
  if (Number.isNaN(value) || value < least || value > most || (whole && !Number.isInteger(value))) {
    throw new InvalidArgumentError(`expected a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
  }
  return value;
};

const count = (least: number, most = 1_000_000_000): ((text: string) => number) => number(least, most, true);
const amount = (least: number, most = 1_000_000_000): ((text: string) => number) => number(least, most, false);

/** After a server has ended, until its process does whatever keeps it. */
const LAST_MS = 500;

const DAY_SECONDS = 86_400;

/** `--priority search=2`, repeated. */
const addPriority = (text: string, known: Readonly<Record<string, number>>): Readonly<Record<string, number>> => {
  const [surface, level] = text.split('=');
  const value = Number(level);
  if (surface === undefined || surface === '' || level === undefined || level === '' || !Number.isInteger(value)) {
    throw new InvalidArgumentError('expected SURFACE=NUMBER, e.g. search=2');
  }
  return { ...known, [surface]: value };
};

const addVersion = (text: string, known: readonly string[]): readonly string[] => {
  if (!/^[^=]+=[^=]+$/.test(text)) throw new InvalidArgumentError('expected SURFACE=VERSION');
  return [...known, text];
};

type Flags = Partial<Omit<ServerOptions, 'exports' | 'priorities' | 'alsoLoad'>> & CommonOptions & { readonly priority: ServerOptions['priorities']; readonly load: ServerOptions['alsoLoad'] };

/** `onefold serve [EXPORT…]`: scores requests over HTTP and gRPC until it is told to stop. */
export const serveCommand = (): Command =>
  new Command('serve')
    .description(DESCRIPTIONS.serve)
    .argument('[exports...]', 'folders of exports, or a folder of such folders; left out with --registry')
    .option('--registry <location>', 'folder or s3://bucket/prefix of published versions; its pointer is followed')
    .option('--s3-endpoint <url>', 'endpoint of S3-compatible storage')
    .option('--load <SURFACE=VERSION>', 'load this version too, for requests that name it; repeat it', addVersion, [])
    .option('--host <host>', 'where HTTP and gRPC listen', D.host)
    .option('--port <port>', 'HTTP: /v1/score, /v2, /healthz, /readyz, /openapi.json', count(0, 65535), D.port)
    .option('--grpc-port <port>', 'gRPC of the Open Inference Protocol; left out: none', count(0, 65535))
    .option('--admin-host <host>', 'where the admin port listens', D.adminHost)
    .option('--admin-port <port>', 'metrics, promote, rollback, feature updates; left out: none', count(0, 65535))
    .option('--workers <n>', 'threads that score', count(1, 1024), D.workers)
    .option('--threads <n>', 'threads of each of them', count(1, 256), D.threads)
    .option('--max-batch-requests <n>', 'requests of one run, at most', count(1), D.maxBatchRequests)
    .option('--max-batch-candidates <n>', 'candidates of one run, at most; a single request may have more', count(1), D.maxBatchCandidates)
    .option('--batch-wait-ms <ms>', 'how long a request waits for others while a thread is idle', amount(0, 10_000), D.batchWaitMs)
    .option('--user-cache-mb <mb>', 'memory of each scoring thread for encoded users', amount(0), D.userCacheMb)
    .option('--max-queue <n>', 'requests that wait, at most; more are refused with 429', count(1), D.maxQueue)
    .option('--max-wait-ms <ms>', 'foreseen wait at which requests are refused with 429', amount(1), D.maxWaitMs)
    .option('--timeout-ms <ms>', 'for requests that name none', amount(1), D.timeoutMs)
    .option('--priority <SURFACE=N>', 'surfaces with a higher number go first, and are refused last; default 0; repeat it', addPriority, {})
    .option('--max-body-bytes <n>', 'of a request', count(1), D.maxBodyBytes)
    .option('--max-candidates <n>', 'of a request', count(1), D.maxCandidates)
    .option('--max-header-bytes <n>', 'of a request', count(256), D.maxHeaderBytes)
    .option('--receive-ms <ms>', 'how long a client may take to send a request', count(1), D.receiveMs)
    .option('--features <store>', 'feature store: a folder (LMDB), or redis://HOST:PORT')
    .option('--feature-timeout-ms <ms>', 'after which a request goes on without stored features', amount(1), D.featureTimeoutMs)
    .option('--feature-log <folder>', 'write served features and scores there, as Parquet that `prepare` reads')
    .option('--feature-log-sample <share>', 'share of the requests that is logged', amount(0, 1), D.featureLogSample)
    .option('--feature-log-seconds <s>', 'a file is written this often, at least', amount(0.01), D.featureLogSeconds)
    .option('--token-file <file>', 'accept only these API tokens, one a line')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'its key, PEM')
    .option('--tls-client-ca <file>', 'clients of HTTP and gRPC must show a certificate that one of these signed, PEM')
    .option('--admin-tls', 'the admin port takes TLS alone, with the same files')
    .option('--drain-seconds <s>', 'how long requests may take to end when the server stops', amount(0, DAY_SECONDS), D.drainSeconds)
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(['debug', 'info', 'warn', 'error', 'silent']).default(D.logLevel))
    .option('--trace-endpoint <url>', 'OTLP over HTTP, e.g. http://collector:4318/v1/traces; left out: no traces')
    .option('--trace-sample <share>', 'share of the requests that is traced', amount(0, 1), D.traceSample)
    .option('--json', 'print one JSON object on standard output once it serves')
    .addHelpText('after', EXAMPLES)
    .action(async (exports: readonly string[], { priority, load, json, ...flags }: Flags) => {
      const output = createOutput(json === undefined ? {} : { json });
      const server = await startServer({ ...D, ...flags, exports, priorities: priority, alsoLoad: load });
      // Before anybody is told that it serves: who knows may end it.
      const stop = (): void => void server.stop();
      process.once('SIGTERM', stop);
      process.once('SIGINT', stop);
      for (const { surface, version, isCurrent } of server.surfaces()) if (isCurrent) output.text(`${surface}  version ${version}`);
      const { http, grpc, admin } = server.addresses;
      output.text([`serving on ${http}`, ...(grpc === undefined ? [] : [`gRPC ${grpc}`]), ...(admin === undefined ? [] : [`admin ${admin}`])].join(', '));
      output.result({ ...server.addresses, pid: process.pid, surfaces: server.surfaces().map(({ surface, version, isCurrent }) => ({ surface, version, isCurrent })) });
      await server.untilStopped;
      // Clients that hang keep their sockets open, and with them the process. A run that is under way still is waited for.
      setTimeout(() => {
        void endThreads().then(() => process.exit());
      }, LAST_MS).unref();
    });
