import type { EmbeddingKernel } from './embedding-kernel.js';
import { KernelUseError } from './kernel-error.js';
import { ADDON_PATH, loadAddon } from './native-addon.js';
import { createNativeKernel } from './native-kernel.js';
import { typescriptKernel } from './typescript-kernel.js';

/** Which kernel to use, and how. */
export interface KernelChoice {
  /** Threads of the native kernel's calls, the caller's included; its results do not depend on it. */
  readonly threads: number;
  /** Gets one line when the native kernel did not load and the TypeScript one is used instead. */
  readonly onFallback?: (line: string) => void;
}

/**
 * The kernel to train and score with: the native one where it loads, else the TypeScript one.
 *
 * The environment may force it: `ONEFOLD_KERNEL=typescript|native`, and `ONEFOLD_SIMD=avx512|avx2|baseline` for the native
 * one.
 *
 * @throws KernelUseError when the forced kernel cannot be had.
 */
export const chooseKernel = (
  { threads, onFallback }: KernelChoice,
  { environment = process.env, addonPath = ADDON_PATH }: { readonly environment?: NodeJS.ProcessEnv; readonly addonPath?: string } = {},
): EmbeddingKernel => {
  const forced = environment['ONEFOLD_KERNEL'];
  if (forced === 'typescript') return typescriptKernel;
  if (forced !== undefined && forced !== '' && forced !== 'native') {
    throw new KernelUseError(`ONEFOLD_KERNEL is "${forced}": expected "native" or "typescript"`);
  }
  try {
    return createNativeKernel({ threads, level: environment['ONEFOLD_SIMD'] === '' ? undefined : environment['ONEFOLD_SIMD'], addon: loadAddon(addonPath) });
  } catch (error) {
    if (error instanceof KernelUseError) throw error;
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
    if (forced === 'native') throw new KernelUseError(`ONEFOLD_KERNEL is "native", and it did not load: ${reason}`);
    onFallback?.(
      `the native kernel did not load, so embedding lookups and updates run in TypeScript, about 20 to 40 times slower ` +
        `(install a C++ compiler and run "npm run build:native" in its package): ${reason}`,
    );
    return typescriptKernel;
  }
};
