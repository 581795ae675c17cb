import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // ONNX Runtime and DuckDB are native addons with threads of their own: a process per file keeps them apart.
    pool: 'forks',
    maxWorkers: 2,
    // Tests that run ONNX Runtime without our engine report nothing to its maker either (src/config/no-telemetry.ts).
    env: { ORT_DISABLE_TELEMETRY: '1' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // What a machine does in milliseconds takes seconds where others keep it busy.
    expect: { poll: { timeout: 10_000 } },
  },
});
