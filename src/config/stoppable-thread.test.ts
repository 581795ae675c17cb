import { expect, it } from 'vitest';
import { endThreads, startThread } from './stoppable-thread.js';

/** Computes for a while at each call, and counts the calls that it began and ended. Threads load compiled code only. */
const THREAD = `
import { workerData } from 'node:worker_threads';
import { onCall } from ${JSON.stringify(new URL('../../dist/config/stoppable-thread.js', import.meta.url).href)};
const counts = new Int32Array(workerData);
onCall(() => {
  Atomics.add(counts, 0, 1);
  Atomics.notify(counts, 0);
  const end = performance.now() + 300;
  while (performance.now() < end);
  Atomics.add(counts, 1, 1);
});
`;

it('ends every thread after what it computes, and begins nothing more', async () => {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const entry = new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`);
  const threads = Array.from({ length: 2 }, () => startThread(entry, { workerData: counts.buffer }));
  // One has a call, the other may not have started.
  threads[0]!.postMessage({});
  await expect.poll(() => Atomics.load(counts, 0), { timeout: 10_000 }).toBe(1);
  const ended = endThreads();
  threads[0]!.postMessage({});
  await ended;
  expect([...counts]).toEqual([1, 1]);
  expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  await endThreads();
});
