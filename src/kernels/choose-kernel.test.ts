import { describe, expect, it, vi } from 'vitest';
import { chooseKernel } from './choose-kernel.js';
import { KernelUseError } from './kernel-error.js';
import { ADDON_PATH, loadAddon } from './native-addon.js';

const isBuilt = (() => {
  try {
    loadAddon();
    return true;
  } catch {
    return false;
  }
})();

const chooseWith = (environment: NodeJS.ProcessEnv, addonPath = ADDON_PATH) => {
  const onFallback = vi.fn<(line: string) => void>();
  const choose = () => chooseKernel({ threads: 2, onFallback }, { environment, addonPath });
  return { choose, onFallback };
};

describe('chooseKernel', () => {
  it.skipIf(!isBuilt)('takes the native kernel where it loads', () => {
    const { choose, onFallback } = chooseWith({});
    expect(choose().name).toBe('native');
    expect(onFallback).not.toHaveBeenCalled();
  });

  it('falls back on TypeScript with one line that says what it costs and what to do', () => {
    const { choose, onFallback } = chooseWith({}, '/nowhere/onefold_kernels.node');
    expect(choose().name).toBe('typescript');
    expect(onFallback).toHaveBeenCalledTimes(1);
    const [line] = onFallback.mock.calls[0]!;
    expect(line).toMatch(/times slower.*install a C\+\+ compiler.*\/nowhere\/onefold_kernels\.node/);
    expect(line).not.toContain('\n');
  });

  it('does as the environment says', () => {
    const { choose, onFallback } = chooseWith({ ONEFOLD_KERNEL: 'typescript' });
    expect(choose().name).toBe('typescript');
    expect(onFallback).not.toHaveBeenCalled();
    expect(chooseWith({ ONEFOLD_KERNEL: 'native' }, '/nowhere/x.node').choose).toThrow('ONEFOLD_KERNEL is "native", and it did not load');
    expect(chooseWith({ ONEFOLD_KERNEL: 'gpu' }).choose).toThrow(KernelUseError);
  });

  it.skipIf(!isBuilt)('refuses a SIMD level that the processor lacks', () => {
    expect(chooseWith({ ONEFOLD_SIMD: 'sse9' }).choose).toThrow('this processor does not run SIMD level "sse9"');
    expect(chooseWith({ ONEFOLD_SIMD: 'baseline' }).choose().name).toBe('native');
  });
});
