/**
 * The server against what it replaces: rows scored one by one, and the same export behind Python. Targets are those of the project;
 * what each measures is in docs/benchmarks.md. `--seconds 5` for shorter measurements; `--only rows,peers,overhead,tail,overload,cold` for
 * some of them, whose results are not kept.
 */
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { openExport } from '../dist/export/open-export.js';
import { openFusedScorer } from '../dist/serve/engine/fused-scorer.js';
import { LoadedVersion } from '../dist/serve/engine/loaded-version.js';
import { joinRequests, packedColumns, unpackRequest } from '../dist/serve/engine/packed-request.js';
import { readScoreRequest } from '../dist/serve/json/read-score-request.js';
import { ROOT } from './onefold.mjs';
import { median, openReport } from './report.mjs';
import { binaryBody } from './serve/inference-body.mjs';
import { comparePeers } from './serve/peers.mjs';
import { freePort, load, startOurs } from './serve/processes.mjs';
import { largeExport, requestsFor, servedExport, wideExport } from './serve/workload.mjs';

const PARTS = 'rows,peers,overhead,tail,overload,cold';
/** Milliseconds after which an answer is of no use, in the measurements at the limit. */
const DEADLINE = 250;

const { values: flags } = parseArgs({ options: { seconds: { type: 'string', default: '8' }, 'overload-seconds': { type: 'string', default: '60' }, only: { type: 'string', default: PARTS } } });
const seconds = Number(flags.seconds);
const only = new Set(flags.only.split(','));

const generator = xoroshiro128plus(1);
const random = () => (generator.next() >>> 0) / 2 ** 32;
const exported = servedExport();
const opened = await openExport(exported);
const requests = requestsFor(opened.encoders, 32, random);
const bodies = requests.map((request) => Buffer.from(JSON.stringify(request)).toString('base64'));
const headers = { 'content-type': 'application/json' };
const report = openReport();

/** Requests as the engine's threads get them. */
const prepareAll = (directory, { manifest, encoders }) => {
  const version = new LoadedVersion({ version: 'bench', directory, manifest, encoders });
  return requests.map((request) => version.prepare(readScoreRequest(request, () => version.served, { maxCandidates: 1000 })).packed);
};

const timed = async (work, count) => {
  const times = [];
  for (let run = 0; run < count; run += 1) {
    const started = performance.now();
    await work(run);
    times.push(performance.now() - started);
  }
  return times;
};

if (only.has('rows')) {
  const columns = packedColumns(opened.encoders.columns);
  const packed = prepareAll(exported, opened);
  // The user repeated for every candidate, as inputs of the very same export.
  const expanded = packed.map((buffer) => {
    const one = unpackRequest(columns, buffer);
    const { requestColumns, candidateColumns } = joinRequests(columns, [one]);
    const count = one.candidateCount;
    const repeat = (column) => {
      if (column.kind === 'ids') {
        const each = column.values.length;
        return { kind: 'ids', offsets: Int32Array.from({ length: count + 1 }, (_, row) => row * each), values: Int32Array.from({ length: count * each }, (_, at) => column.values[at % each]) };
      }
      const size = column.kind === 'vector' ? column.size : 1;
      return { ...column, values: column.values.constructor.from({ length: count * size }, (_, at) => column.values[at % size]) };
    };
    return {
      requestCount: count,
      candidateCount: count,
      rowToRequest: Int32Array.from({ length: count }, (_, row) => row),
      viewTypes: new Int32Array(count).fill(one.viewType),
      requestColumns: new Map([...requestColumns].map(([name, column]) => [name, repeat(column)])),
      candidateColumns,
    };
  });
  const scorer = await openFusedScorer({ key: 'bench', directory: exported, threads: 1, cache: undefined }, columns, opened.manifest.tasks);
  const ours = await timed((run) => scorer.score([packed[run % packed.length]]), 20);
  const theirs = await timed((run) => opened.score(expanded[run % expanded.length]), 3);
  for (let round = 0; round < 5; round += 1) {
    ours.push(...(await timed((run) => scorer.score([packed[run % packed.length]]), 60)));
    theirs.push(...(await timed((run) => opened.score(expanded[run % expanded.length]), 6)));
  }
  await scorer.close();
  report.record('200 candidates, history of 100: per request, against every row by itself, one thread', { ours: median(ours), peer: median(theirs), unit: 'ms', target: { atLeast: 7 } });
}

if (only.has('peers')) await comparePeers({ exported, requests, seconds, report });

/** What stands between a client and ONNX Runtime, for one export. */
const measureOverhead = async (name, directory) => {
  const { encoders, manifest, close } = await openExport(directory);
  const encoded = packedColumns(encoders.columns);
  const prepared = prepareAll(directory, { encoders, manifest });
  const server = await startOurs(directory);
  const scorer = await openFusedScorer({ key: 'bench', directory, threads: 1, cache: undefined }, encoded, manifest.tasks);
  const calls = requests.map(binaryBody);
  const asJson = { url: `${server.url}/v1/score`, bodies, headers };
  const asBytes = {
    url: `${server.url}/v2/models/${requests[0].surface}/infer`,
    bodies: calls.map(({ body }) => body.toString('base64')),
    headers: { 'content-type': 'application/octet-stream' },
    headerLengths: calls.map(({ headerLength }) => headerLength),
  };
  const times = { bare: [], json: [], bytes: [] };
  for (let round = 0; round < 4; round += 1) {
    const bare = [];
    for (let run = 0; run < 150; run += 1) bare.push((await scorer.score([prepared[run % prepared.length]])).statistics.runMs);
    const json = await load({ ...asJson, seconds: seconds / 2, connections: 1 });
    const bytes = await load({ ...asBytes, seconds: seconds / 2, connections: 1 });
    // The first round warms all of them.
    if (round === 0) continue;
    times.bare.push(median(bare));
    times.json.push(json.p50);
    times.bytes.push(bytes.p50);
  }
  await scorer.close();
  await server.stop();
  await close();
  const peer = median(times.bare);
  for (const [protocol, ours] of [['JSON', median(times.json)], ['Open Inference bytes', median(times.bytes)]]) {
    report.record(`${name}: p50 over HTTP as ${protocol}, one request at a time, against ONNX Runtime alone`, { ours, peer, unit: 'ms', ratio: ours / peer, target: { atMost: 1.15 } });
  }
};

if (only.has('overhead')) {
  await measureOverhead('the model', exported);
  await measureOverhead('a wider model', wideExport());
}

if (only.has('tail') || only.has('overload')) {
  const admin = await freePort();
  const server = await startOurs(exported, '--timeout-ms', String(DEADLINE), '--admin-port', String(admin));
  /** Milliseconds that the event loop was late since this was last asked, all but a hundredth of the time. */
  const loopDelay = async () => 1000 * Number(/^onefold_event_loop_delay_p99_seconds (\S+)$/m.exec(await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text())[1]);
  const url = `${server.url}/v1/score`;
  await load({ url, bodies, headers, seconds: 2, connections: 4 });
  await loopDelay();
  const { perSecond: most } = await load({ url, bodies, headers, seconds, connections: 8 });
  const busy = await loopDelay();
  if (only.has('tail')) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    report.record(`the most (${most.toFixed(0)} requests a second): event loop delay, p99; peer: nothing to do`, { ours: busy, peer: await loopDelay(), unit: 'ms', ratio: busy, target: { atMost: 10 } });
    const { p50, p99 } = await load({ url, bodies, headers, seconds: 2 * seconds, rate: 0.7 * most });
    report.record(`at 70 % of the most (${most.toFixed(0)} requests a second): p99 against p50`, { ours: p99, peer: p50, unit: 'ms', ratio: p99 / p50, target: { atMost: 3 } });
  }
  if (only.has('overload')) {
    await load({ url, bodies, headers, seconds: 5, rate: 2 * most });
    const before = server.residentMb();
    const { goodPerSecond, late, byStatus } = await load({ url, bodies, headers, seconds: Number(flags['overload-seconds']), rate: 2 * most, lateMs: DEADLINE });
    const after = server.residentMb();
    report.record(`twice the most for ${flags['overload-seconds']} s: answers in time a second (${JSON.stringify(byStatus)})`, { ours: goodPerSecond, peer: most, unit: '/s', ratio: goodPerSecond / most, target: { atLeast: 0.9 }, late, byStatus });
    report.record(`twice the most: answers later than ${DEADLINE} ms, as the client saw them, of 100`, { ours: (100 * late) / (byStatus[200] ?? 1), peer: 0, unit: '%', ratio: late, target: { atMost: 0 } });
    report.record('twice the most: memory after against before', { ours: after, peer: before, unit: 'MB', ratio: after / before, target: { atMost: 1.1 } });
  }
  await server.stop();
}

if (only.has('cold')) {
  const large = largeExport();
  const mb = readFileSync(join(large, 'manifest.json'), 'utf8').match(/"path": "tables.bin",\s+"bytes": (\d+)/)[1] / 1e6;
  const [body] = requestsFor(JSON.parse(readFileSync(join(large, 'encoders.json'), 'utf8')), 1, random);
  const first = async () => {
    const port = await freePort();
    const started = performance.now();
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), 'serve', large, '--port', String(port), '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] });
    for (;;) {
      const isAnswered = await fetch(`http://127.0.0.1:${port}/v1/score`, { method: 'POST', headers, body: JSON.stringify(body) }).then(
        async (response) => response.ok && (await response.text()).includes('scores'),
        () => false,
      );
      if (isAnswered) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const took = (performance.now() - started) / 1000;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    return took;
  };
  // The first start may be of files that are new to the machine, which are read in full.
  const before = await first();
  const again = [];
  for (let run = 0; run < 5; run += 1) again.push(await first());
  report.record(`start to first answer, ${mb.toFixed(0)} MB of tables, known to the machine; peer: the start before`, { ours: median(again), peer: before, unit: 's', ratio: median(again), target: { atMost: 1 } });
}

await opened.close();
// A part of the rows is for looking at, not for keeping.
if (flags.only === PARTS) report.write('serve');
