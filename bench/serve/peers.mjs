/** The server against the same export behind servers in Python, each asked in its own protocol and as fast as we could make it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../onefold.mjs';
import { mlserverPython, torchPython } from '../python-env.mjs';
import { jsonBody } from './inference-body.mjs';
import { freePort, load, startOurs, startPython } from './processes.mjs';

const HERE = join(ROOT, 'bench', 'serve');
const JSON_HEADERS = { 'content-type': 'application/json' };

/** As many processes or threads at work as our server has, the event loop's included. */
const WORKERS = '2';

/** Scores that differ by more are not of the same model. */
const TOLERANCE = 1e-4;

/** How servers are asked: a path, a body, and where the answer has the scores of each task. */
const SCORE = {
  path: () => '/v1/score',
  body: (request) => JSON.stringify(request),
  scores: (answer) => answer.scores,
};
// JSON on both sides: MLServer 1.7 reads tensors as bytes over gRPC only, its REST has no binary extension.
const INFERENCE = {
  path: ({ surface }) => `/v2/models/${surface}/infer`,
  body: jsonBody,
  scores: ({ outputs }) => Object.fromEntries(outputs.map(({ name, data }) => [name, data])),
};

const startFastapi = async (exported, engine, mode) => {
  const python = torchPython(['fastapi', 'uvicorn[standard]', 'orjson', 'onnx', 'onnxruntime', 'numpy', 'pyarrow']);
  const port = await freePort();
  return startPython(python, [join(HERE, 'fastapi_peer.py'), exported, engine, mode, String(port), WORKERS], { port, readyPath: '/readyz' });
};

const startLitserve = async (exported, engine) => {
  const python = torchPython(['litserve==0.2.19', 'orjson', 'onnx', 'onnxruntime', 'numpy', 'pyarrow']);
  const port = await freePort();
  return startPython(python, [join(HERE, 'litserve_peer.py'), exported, engine, String(port), WORKERS], { port, readyPath: '/health' });
};

const startMlserver = async (exported, surface) => {
  const python = mlserverPython(['onnxruntime', 'numpy', 'pyarrow']);
  const [port, grpcPort] = [await freePort(), await freePort()];
  const settings = {
    host: '127.0.0.1',
    http_port: port,
    grpc_port: grpcPort,
    // One process, and a thread that runs: two workers get every request through a pipe, and were slower.
    parallel_workers: 0,
    // No log of requests, no metrics, nothing that looks at whether to compress.
    debug: false,
    metrics_endpoint: null,
    gzip_enabled: false,
    logging_settings: {
      version: 1,
      disable_existing_loggers: false,
      handlers: { stderr: { class: 'logging.StreamHandler' } },
      root: { level: 'WARNING', handlers: ['stderr'] },
      loggers: { mlserver: { level: 'WARNING' } },
    },
  };
  // MLServer wants a model in a folder of its name, and writes into the folder in which it is started.
  const folder = join(ROOT, 'bench', '.work', 'mlserver', surface);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings));
  writeFileSync(join(folder, 'model-settings.json'), JSON.stringify({ name: surface, implementation: 'mlserver_peer.Scorer', parameters: { uri: exported } }));
  const command = join(dirname(python), 'mlserver');
  return startPython(command, ['start', folder], { port, readyPath: `/v2/models/${surface}/ready`, cwd: folder, env: { PYTHONPATH: HERE } });
};

const PEERS = [
  { name: 'FastAPI, onnxruntime, every row by itself', protocol: SCORE, start: (exported) => startFastapi(exported, 'onnxruntime', 'expanded') },
  { name: 'FastAPI, onnxruntime, request-level', protocol: SCORE, start: (exported) => startFastapi(exported, 'onnxruntime', 'broadcast') },
  { name: 'FastAPI, torch, every row by itself', protocol: SCORE, start: (exported) => startFastapi(exported, 'torch', 'expanded') },
  { name: 'FastAPI, torch, request-level', protocol: SCORE, start: (exported) => startFastapi(exported, 'torch', 'broadcast') },
  { name: 'LitServe, onnxruntime, request-level', protocol: SCORE, start: (exported) => startLitserve(exported, 'onnxruntime') },
  { name: 'LitServe, torch, request-level', protocol: SCORE, start: (exported) => startLitserve(exported, 'torch') },
  { name: 'MLServer, onnxruntime, request-level', protocol: INFERENCE, start: startMlserver },
];

/** Throws where a server's scores are not ours. */
const holdAgainst = async (name, { path, body, scores }, ours, peer, requests) => {
  const ask = async ({ url }, request) => {
    const response = await fetch(`${url}${path(request)}`, { method: 'POST', headers: JSON_HEADERS, body: body(request) });
    if (!response.ok) throw new Error(`${name}: ${url} answered ${response.status}: ${await response.text()}`);
    return Object.entries(scores(await response.json()));
  };
  for (const request of requests) {
    const [wanted, given] = [await ask(ours, request), new Map(await ask(peer, request))];
    for (const [task, values] of wanted) {
      const others = given.get(task) ?? [];
      const isSame = values.length === request.candidates.length && others.length === values.length && values.every((value, at) => Math.abs(value - others[at]) <= TOLERANCE);
      if (!isSame) throw new Error(`${name}: its scores of ${task} for request ${request.requestId} are not ours to ${TOLERANCE}`);
    }
  }
};

/** Throughput without a slower tail, and the tail at equal load, against each peer. */
export const comparePeers = async ({ exported, requests, seconds, report }) => {
  const [{ surface }] = requests;
  for (const { name, protocol, start } of PEERS) {
    const ours = await startOurs(exported, '--max-wait-ms', '10000', '--max-queue', '1000');
    const peer = await start(exported, surface);
    await holdAgainst(name, protocol, ours, peer, requests);
    const bodies = requests.map((request) => Buffer.from(protocol.body(request)).toString('base64'));
    const ask = ({ url }, more) => load({ url: `${url}${protocol.path(requests[0])}`, bodies, headers: JSON_HEADERS, seconds, ...more });
    await ask(ours, { seconds: 2, connections: 4 });
    await ask(peer, { seconds: 2, connections: 2 });
    // Two connections may both be of one of a peer's two processes: the better of two loads.
    const loads = [await ask(peer, { connections: 2 }), await ask(peer, { connections: 4 })];
    const theirs = loads.reduce((one, other) => (other.perSecond > 1.1 * one.perSecond ? other : one));
    const results = [];
    for (const connections of [1, 2, 3, 4, 6]) results.push(await ask(ours, { connections }));
    // The most that we do without a slower tail than theirs; where there is no such load, the lowest tail there is.
    const within = results.filter(({ p99 }) => p99 <= theirs.p99);
    const best = within.length > 0 ? within.reduce((one, other) => (other.perSecond > one.perSecond ? other : one)) : results.reduce((one, other) => (other.p99 < one.p99 ? other : one));
    const tails = { ourP99: best.p99, peerP99: theirs.p99, tailNoSlower: within.length > 0 };
    report.record(`${name}: requests a second, our p99 ${best.p99.toFixed(0)} ms, theirs ${theirs.p99.toFixed(0)} ms`, { ours: best.perSecond, peer: theirs.perSecond, unit: '/s', ratio: best.perSecond / theirs.perSecond, target: { atLeast: 3 }, ...tails });
    // Equal load: half of what the slower of the two can do.
    const rate = 0.5 * Math.min(theirs.perSecond, best.perSecond);
    const [ourTail, theirTail] = [await ask(ours, { rate }), await ask(peer, { rate })];
    report.record(`${name}: p99 at ${rate.toFixed(0)} requests a second`, { ours: ourTail.p99, peer: theirTail.p99, unit: 'ms', target: { atLeast: 1 } });
    await peer.stop();
    await ours.stop();
  }
};
