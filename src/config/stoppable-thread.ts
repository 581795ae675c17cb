/** Threads that end between two native calls, never in the middle of one. */
import { parentPort, type Worker } from 'node:worker_threads';

/** What a thread is told when it is to end. */
interface StopMessage {
  readonly endThread: true;
}

const STOP: StopMessage = { endThread: true };

const isStop = (message: unknown): message is StopMessage => typeof message === 'object' && message !== null && 'endThread' in message;

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

/** Hands a thread each call its parent makes, until `stopThread` ends it. */
export const onCall = <Call extends object>(handle: (call: Call) => void): void => {
  parentPort!.on('message', (message: Call | StopMessage) => {
    // In a thread this ends the thread alone.
    if (isStop(message)) process.exit(0);
    handle(message);
  });
};
