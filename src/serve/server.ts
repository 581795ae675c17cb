/** The server: an engine behind HTTP and gRPC, with what is seen of it from outside. */
import { readFileSync } from 'node:fs';
import { UsageError } from '../config/errors.js';
import { Closing } from './closing.js';
import type { FeatureLog } from './features/feature-log.js';
import type { FeatureStore } from './features/feature-store.js';
import { authorizer } from './http/authorize.js';
import { createAdmin, type AdminOptions } from './http/create-admin.js';
import { closerOf } from './http/connections.js';
import { createApp } from './http/create-app.js';
import { explainListen } from './http/explain-listen.js';
import { readTls } from './http/read-tls.js';
import { heldOutRates } from './observe/held-out-rates.js';
import { createLog, type Log } from './observe/log.js';
import { createRequestLog } from './observe/request-log.js';
import { ServeMetrics } from './observe/serve-metrics.js';
import { createTracing } from './observe/tracing.js';
import { readOutcomes } from './read-outcomes.js';
import type { GrpcServer } from './oip/grpc-server.js';
import type { ServedSurface } from './raw-request.js';
import { Readiness } from './readiness.js';
import { relaxCollector } from './relax-collector.js';
import { RequestError } from './request-error.js';
import { ScoringService } from './scoring-service.js';
import type { ServerOptions } from './server-options.js';
import { startEngine, type StartedEngine } from './start-engine.js';
import { timerMs } from './timer-ms.js';
import { Unscored } from './unscored.js';
import type { SwapEvent } from './version-keeper.js';

export interface Server {
  readonly addresses: { readonly http: string; readonly grpc?: string; readonly admin?: string };
  surfaces(): readonly ServedSurface[];
  /** Answers what came before, then ends. */
  stop(): Promise<void>;
  /** Settles once the server has ended. */
  readonly untilStopped: Promise<void>;
}

/** How long a server that was told to end takes on what comes. */
const LAME_DUCK_MS = 500;

const { version: SERVER_VERSION } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string };

const openStore = async (location: string | undefined): Promise<FeatureStore | undefined> => {
  if (location === undefined) return undefined;
  const { openFeatureStore } = await import('./features/open-feature-store.js');
  return openFeatureStore(location, { mustExist: true, where: '--features' });
};

const openFeatureLog = async ({ featureLog, featureLogSample, featureLogSeconds }: ServerOptions, log: Log): Promise<FeatureLog | undefined> => {
  if (featureLog === undefined) return undefined;
  const { createFeatureLog } = await import('./features/feature-log.js');
  return createFeatureLog({
    directory: featureLog,
    sample: featureLogSample,
    fileMs: 1000 * featureLogSeconds,
    onNotice: (message) => {
      log.warn({}, message);
    },
  });
};

const logSwap = (log: Log, event: SwapEvent): void => {
  switch (event.type) {
    case 'swapped':
    case 'pointed':
      log.info({ current: event.current, seconds: event.seconds }, event.type === 'swapped' ? 'versions were loaded and serve' : 'other loaded versions serve');
      return;
    case 'refused':
      log.error({ surface: event.surface, version: event.version, err: event.error }, 'a version is broken and was refused; what served before goes on');
      return;
    case 'unreachable':
      log.warn({ err: event.error }, 'the registry does not answer; what serves goes on');
      return;
    case 'failed':
      log.error({ err: event.error }, 'a change of versions cannot be made for now; what serves goes on, and it is tried again');
  }
};

const admin = (started: StartedEngine, metrics: ServeMetrics, store: FeatureStore | undefined, collect: () => void, secured: Pick<AdminOptions, 'authorize' | 'tls'>, log: Log) => {
  const { engine, keeper, registry } = started;
  const published = (): NonNullable<typeof registry> => {
    if (registry === undefined) throw new RequestError('invalid', 'the server serves folders: it has no other versions', { expected: 'a server started with --registry' });
    return registry;
  };
  return createAdmin(
    {
      metrics: async () => {
        collect();
        return { text: await metrics.text(), contentType: metrics.contentType };
      },
      surfaces: () => engine.surfaces(),
      reload: () => keeper.reload(),
      promote: async (versions) => {
        await published().promote(versions);
        await keeper.apply();
      },
      rollback: async (surfaces) => {
        await published().rollback(surfaces);
        await keeper.apply();
      },
      restartWorker: () => engine.stopWorker(),
      updateFeatures: async (update) => {
        if (store === undefined) throw new RequestError('invalid', 'the server has no feature store', { expected: 'a server started with --features' });
        const { applyUpdate } = await import('./features/apply-update.js');
        await applyUpdate(store, update);
      },
      outcomes: (body) => metrics.outcomes(readOutcomes(body)),
    },
    {
      ...secured,
      onDefect: (error) => {
        log.error({ err: error }, 'an admin request failed');
      },
    },
  );
};

const reportVersions = ({ engine }: StartedEngine, metrics: ServeMetrics): void => {
  const served = engine.surfaces();
  metrics.versions(served);
  for (const { surface, version } of served) {
    const manifest = engine.find(surface, version)?.manifest;
    if (manifest === undefined) continue;
    for (const rate of heldOutRates(manifest)) metrics.heldOut({ surface, version, ...rate });
  }
};

/**
 * Starts a server, and returns once it scores.
 *
 * @throws ArtifactError, ParityError when a surface has no version that passes; IoError when a port is taken; UsageError
 */
export const startServer = async (options: ServerOptions): Promise<Server> => {
  const log = createLog({ level: options.logLevel });
  const metrics = new ServeMetrics();
  const closing = new Closing();
  const onDefect = (error: unknown): void => {
    log.error({ err: error }, 'a defect');
  };
  const onCloseError = (error: unknown): void => {
    log.error({ err: error }, 'while ending');
  };
  const onProblem = (message: string): void => {
    log.warn({}, message);
  };
  /** When everything must have ended: one moment for all that is waited for. */
  let endsAt = Infinity;
  const leftMs = (): number => (endsAt === Infinity ? 0 : timerMs(endsAt - performance.now()));
  let running: StartedEngine | undefined;
  try {
    const authorize = authorizer(options.tokenFile);
    const tls = readTls(options);
    if (options.adminTls && tls === undefined) throw new UsageError('the admin port has no certificate', { where: '--admin-tls', expected: '--tls-cert and --tls-key', fix: 'give both, or leave --admin-tls out' });
    const tracing = await createTracing({ endpoint: options.traceEndpoint, sampleRatio: options.traceSample, serviceName: 'onefold', version: SERVER_VERSION, onProblem });
    closing.add('tracing', () => tracing.close());
    // Before the models, which take longer: a mistake is told of at once.
    const store = await openStore(options.features);
    if (store !== undefined) closing.add('the feature store', () => store.close());
    const started: StartedEngine = await startEngine(options, {
      batch: (batch) => {
        metrics.batchDone(batch);
      },
      workerGone: (reason) => {
        log.error({ reason }, 'a scoring thread stopped; another takes its place');
      },
      workerFailed: (error) => {
        log.error({ err: error }, 'a scoring thread cannot be started; it is tried again');
      },
      refused: (surface, reason) => {
        metrics.shed({ surface, reason });
      },
      swap: (event) => {
        logSwap(log, event);
        if (event.type !== 'unreachable' && event.type !== 'failed') metrics.swap({ outcome: event.type, seconds: 'seconds' in event ? event.seconds : 0 });
        if (running !== undefined) reportVersions(running, metrics);
        relaxCollector();
      },
    });
    running = started;
    const { engine, keeper } = started;
    const readiness = new Readiness(() => engine.isReady);
    closing.add('scoring', () => engine.close(leftMs()));
    closing.add('following the registry', () => keeper.close(leftMs()));
    const featureLog = await openFeatureLog(options, log);
    if (featureLog !== undefined) closing.add('the feature log', () => featureLog.close());
    const collect = (): void => {
      const { waiting, running, workers, restarts } = engine.load;
      metrics.queue({ waiting, running });
      metrics.workers({ alive: workers, restarts });
      if (featureLog !== undefined) metrics.featureLog(featureLog.counts);
    };
    const onRequest = createRequestLog(log);
    const service = new ScoringService({
      engine,
      readiness,
      metrics,
      tracing,
      store: store === undefined ? undefined : { features: store, timeoutMs: options.featureTimeoutMs },
      featureLog,
      onRequest,
    });
    reportVersions(started, metrics);
    if (Object.keys(engine.current).length === 0) log.warn({ registry: options.registry }, 'nothing is promoted there yet: waiting for a version');
    const unknown = Object.keys(options.priorities).filter((surface) => engine.find(surface) === undefined);
    if (unknown.length > 0) log.warn({ surfaces: unknown }, 'a priority is of a surface that does not serve');
    const unscored = new Unscored(engine, (request) => {
      metrics.requestDone({ ...request, seconds: request.milliseconds / 1000 });
      metrics.shed({ surface: request.surface, reason: request.outcome });
      onRequest(request);
    });
    const app = createApp({ engine, scorers: { json: service.for('json'), oip: service.for('oip-rest') }, authorize, limits: options, tls, serverVersion: SERVER_VERSION, readiness, unscored, onDefect });
    const close = closerOf(app);
    const http = await app.listen({ host: options.host, port: options.port }).catch((error: unknown) => {
      throw explainListen(error, options.host, options.port);
    });
    let appEnds: Promise<void> | undefined;
    const endApp = (): Promise<void> => (appEnds ??= close(leftMs()));
    closing.add('HTTP', endApp);
    let grpc: GrpcServer | undefined;
    if (options.grpcPort !== undefined) {
      const { startGrpc } = await import('./oip/grpc-server.js');
      const server = await startGrpc({
        scorer: service.for('oip-grpc'),
        readiness,
        host: options.host,
        port: options.grpcPort,
        maxMessageBytes: options.maxBodyBytes,
        maxCandidates: options.maxCandidates,
        maxQueue: options.maxQueue,
        serverVersion: SERVER_VERSION,
        authorize,
        unscored,
        onDefect,
        ...(tls === undefined ? {} : { tls }),
      });
      grpc = server;
      // Both at a time: what one waits for is no reason to take on more by the other.
      closing.add('gRPC', async () => {
        await Promise.all([server.close(leftMs()), endApp()]);
      });
    }
    let adminAddress: string | undefined;
    if (options.adminPort !== undefined) {
      const adminApp = admin(started, metrics, store, collect, { authorize, tls: options.adminTls ? tls : undefined }, log);
      const closeAdmin = closerOf(adminApp);
      adminAddress = await adminApp.listen({ host: options.adminHost, port: options.adminPort }).catch((error: unknown) => {
        throw explainListen(error, options.adminHost, options.adminPort!);
      });
      closing.add('the admin port', () => closeAdmin(0));
    }
    log.info({ http, admin: adminAddress, grpcPort: grpc?.port, current: engine.current }, 'serving');
    let settle: () => void = () => undefined;
    const untilStopped = new Promise<void>((resolve) => {
      settle = resolve;
    });
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopping ??= (async () => {
        readiness.drain();
        endsAt = performance.now() + 1000 * options.drainSeconds;
        log.info({}, 'ending: answering what came before');
        // Not ready any more, but listening still: what is on its way, and balancers that look now and then, need a moment.
        await new Promise((resolve) => setTimeout(resolve, Math.min(LAME_DUCK_MS, 250 * options.drainSeconds)));
        await closing.close(leftMs, onCloseError);
        log.info({}, 'ended');
        settle();
      })();
      return stopping;
    };
    return {
      addresses: { http, ...(grpc === undefined ? {} : { grpc: `${options.host}:${grpc.port}` }), ...(adminAddress === undefined ? {} : { admin: adminAddress }) },
      surfaces: () => engine.surfaces(),
      stop,
      untilStopped,
    };
  } catch (error) {
    await closing.close(leftMs, onCloseError);
    throw error;
  }
};
