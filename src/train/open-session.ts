import { InferenceSession } from 'onnxruntime-node';

/**
 * Threads that sleep when there is nothing to do: idle ones that spin take the cores from the threads that prepare batches,
 * from the kernel's and from the event loop. Memory patterns are kept per input shape, and no two batches have the same.
 */
const OPTIONS: InferenceSession.SessionOptions = {
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  interOpNumThreads: 1,
  enableMemPattern: false,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
};

/** A session on a graph, or on the file of one, for batches of changing shapes beside threads with other work. */
export const openSession = (graph: Uint8Array | string, threads: number): Promise<InferenceSession> => {
  const options = { ...OPTIONS, intraOpNumThreads: threads };
  return typeof graph === 'string' ? InferenceSession.create(graph, options) : InferenceSession.create(graph, options);
};
