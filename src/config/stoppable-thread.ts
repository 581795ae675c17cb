/** Threads that end between two native calls, never in the middle of one. */
import { parentPort, Worker, type WorkerOptions } from 'node:worker_threads';

/** What a thread is told when it is to end. */
interface StopMessage {
  readonly endThread: true;
}

const STOP: StopMessage = { endThread: true };

const isStop = (message: unknown): message is StopMessage => typeof message === 'object' && message !== null && 'endThread' in message;

/** Threads that were started here and have not ended. */
const alive = new Set<Worker>();

/** Starts a thread that listens with `onCall`. */
export const startThread = (entry: URL, options: WorkerOptions): Worker => {
  const worker = new Worker(entry, options);
  alive.add(worker);
  worker.once('exit', () => alive.delete(worker));
  return worker;
};

/**
 * Ends a thread that listens with `onCall`, and waits for it. What it computes at that moment is finished first; calls that wait
 * are not begun.
 *
 * `Worker.terminate` will not do for threads that run ONNX Runtime: its binding makes JavaScript values after each run, which a thread
 * that is being terminated refuses, and the C++ exception of that ends the whole process.
 */
export const stopThread = async (worker: Worker): Promise<void> => {
  // Its number when it has ended already: no exit will be told of.
  if (worker.threadId === -1) return;
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.postMessage(STOP);
  await ended;
};

/**
 * Ends every thread that `startThread` started, and waits for what they compute: for who is about to end the process, which would
 * terminate them.
 */
export const endThreads = async (): Promise<void> => {
  while (alive.size > 0) await Promise.all([...alive].map(stopThread));
};

/** Hands a thread each call its parent makes, until `stopThread` ends it. */
export const onCall = <Call extends object>(handle: (call: Call) => void): void => {
  parentPort!.on('message', (message: Call | StopMessage) => {
    // In a thread this ends the thread alone.
    if (isStop(message)) process.exit(0);
    handle(message);
  });
};
