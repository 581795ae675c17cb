/** How much garbage V8 lets a server's heap gather. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** Bytes of a heap that may well be five times as large. */
const SMALL_HEAP = 64 * 2 ** 20;

/**
 * Lets a small heap grow to five times what the last full collection left; a large one grows as V8 thinks right. V8 keeps small
 * heaps tight: it marked all of a loaded server's heap once a second, and the slowest hundredth of requests were those that waited
 * for it (their p99 at two connections was 1.3 times as long). It is a flag of the whole process, its threads included.
 */
export const relaxCollector = (): void => {
  setFlagsFromString(`--heap-growing-percent=${getHeapStatistics().used_heap_size < SMALL_HEAP ? 400 : 0}`);
};
