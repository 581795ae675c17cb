/**
 * Load from a process of its own. Reads one JSON object from standard input: `{ url, bodies, headers, seconds, connections, rate,
 * lateMs, headerLengths }`; without `rate` every connection asks again as soon as it has its answer, with it requests come at that even rate
 * whatever the answers do. Prints `{ sent, ok, byStatus, late, perSecond, goodPerSecond, p50, p95, p99 }` of answers with status 200.
 */
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

const { url, bodies, headers, seconds, connections, rate, lateMs = Infinity, headerLengths } = JSON.parse(await text(process.stdin));
const { hostname, port, pathname } = new URL(url);
const agent = new Agent({ keepAlive: true, maxSockets: rate === undefined ? connections : 512 });
const payloads = bodies.map((body) => Buffer.from(body, 'base64'));

/** Headers of each payload: a binary call's say where its JSON ends. */
const payloadHeaders = payloads.map((payload, index) => ({ ...headers, 'content-length': payload.length, ...(headerLengths === undefined ? {} : { 'inference-header-content-length': headerLengths[index] }) }));

const post = (index) =>
  new Promise((resolve) => {
    const sent = request({ hostname, port, path: pathname, method: 'POST', agent, headers: payloadHeaders[index] }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
      response.on('error', () => resolve(0));
    });
    sent.on('error', () => resolve(0));
    sent.end(payloads[index]);
  });

const times = [];
const byStatus = {};
let [sent, late] = [0, 0];
const ask = async (due) => {
  const index = sent % payloads.length;
  sent += 1;
  const status = await post(index);
  const took = performance.now() - due;
  byStatus[status] = (byStatus[status] ?? 0) + 1;
  if (status !== 200) return;
  times.push(took);
  if (took > lateMs) late += 1;
};

const started = performance.now();
const end = started + 1000 * seconds;
if (rate === undefined) {
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (performance.now() < end) await ask(performance.now());
    }),
  );
} else {
  const open = new Set();
  for (let due = started; due < end; due += 1000 / rate) {
    const wait = due - performance.now();
    if (wait > 0.5) await new Promise((resolve) => setTimeout(resolve, wait));
    const one = ask(due).finally(() => open.delete(one));
    open.add(one);
  }
  await Promise.all(open);
}
const took = (performance.now() - started) / 1000;
times.sort((a, b) => a - b);
const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? null;
process.stdout.write(
  JSON.stringify({ sent, ok: times.length, byStatus, late, perSecond: times.length / took, goodPerSecond: (times.length - late) / took, p50: at(0.5), p95: at(0.95), p99: at(0.99) }),
);
