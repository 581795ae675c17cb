/** Exports laid out for Triton: what its own schema reads in config.pbtxt, and what ONNX Runtime loads from where Triton would. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServedShop, type ServedShop } from './support/served-shop.js';

const PYTHON = process.env['ONEFOLD_PYTHON'] ?? 'python3';
const script = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const canRead = spawnSync(PYTHON, ['-c', 'import tritonclient.grpc']).status === 0;
if (!canRead) {
  console.warn("NOT TESTED: config.pbtxt by Triton's schema, because python3 lacks the packages of test/python/requirements.txt; ONEFOLD_PYTHON names one that has them");
}

interface TensorConfig {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly string[];
}

interface ModelConfig {
  readonly name: string;
  readonly backend: string;
  /** Left out: 0. */
  readonly max_batch_size?: number;
  readonly input: readonly TensorConfig[];
  readonly output: readonly TensorConfig[];
}

let shop: ServedShop;
let scratch: string;
let repository: string;

const layOut = (...args: readonly string[]): { readonly exit: number | null; readonly stderr: string } => {
  const { status, stderr } = spawnSync(process.execPath, [script('../deploy/triton/model_repository.mjs'), ...args], { encoding: 'utf8' });
  return { exit: status, stderr };
};

beforeAll(async () => {
  shop = await createServedShop();
  scratch = mkdtempSync(join(tmpdir(), 'onefold-triton-'));
  repository = join(scratch, 'models');
  expect(layOut(...Object.values(shop.exports).map(({ directory }) => directory), '--output', repository)).toEqual({ exit: 0, stderr: '' });
});

afterAll(async () => {
  await shop.remove();
  rmSync(scratch, { recursive: true, force: true });
});

const NAMES: Readonly<Record<string, string>> = { int64: 'TYPE_INT64', float32: 'TYPE_FP32' };

/** Tensors as config.pbtxt should have them, by what ONNX Runtime says of the graph. */
const expected = (metadata: readonly InferenceSession.ValueMetadata[]): readonly TensorConfig[] =>
  metadata.map((value) => {
    if (!value.isTensor) throw new Error(`${value.name} is no tensor`);
    return { name: value.name, data_type: NAMES[value.type]!, dims: value.shape.map((dim) => (typeof dim === 'number' ? String(dim) : '-1')) };
  });

/** One request of two candidates about which nothing is known. */
const feeds = ({ inputMetadata }: InferenceSession): Record<string, Tensor> =>
  Object.fromEntries(
    inputMetadata.map((input) => {
      if (!input.isTensor) throw new Error(`${input.name} is no tensor`);
      const dims = input.shape.map((dim) => (typeof dim === 'number' ? dim : dim === 'candidates' ? 2 : 1));
      const size = dims.reduce((product, dim) => product * dim, 1);
      if (input.type === 'float32') return [input.name, new Tensor('float32', new Float32Array(size).fill(NaN), dims)];
      const isList = input.shape.length > 1;
      return [input.name, new Tensor('int64', new BigInt64Array(size).fill(isList ? -1n : 0n), dims)];
    }),
  );

const score = async (graph: string): Promise<Readonly<Record<string, readonly number[]>>> => {
  const session = await InferenceSession.create(graph);
  const results = await session.run(feeds(session));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([task, { data }]) => [task, [...(data as Float32Array)]]));
};

describe("Triton's model repository", () => {
  it('has a model per surface, which scores from there as from the export', async () => {
    expect(readdirSync(repository).sort()).toEqual(['feed', 'search']);
    for (const [surface, { directory, manifest }] of Object.entries(shop.exports)) {
      expect(readdirSync(join(repository, surface)).sort()).toEqual(['1', 'config.pbtxt']);
      expect(readdirSync(join(repository, surface, '1')).sort()).toEqual(['model.onnx', 'tables.bin']);
      const scores = await score(join(repository, surface, '1', 'model.onnx'));
      expect(Object.keys(scores)).toEqual(manifest.tasks);
      for (const values of Object.values(scores)) for (const value of values) expect(value > 0 && value < 1).toBe(true);
      expect(scores).toEqual(await score(join(directory, 'model.onnx')));
    }
  });

  it.skipIf(!canRead)('has configurations that Triton reads, with the inputs and outputs of the graphs', async () => {
    const surfaces = Object.keys(shop.exports);
    const { status, stdout, stderr } = spawnSync(PYTHON, [script('python/read_model_config.py'), ...surfaces.map((surface) => join(repository, surface, 'config.pbtxt'))], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const configs = stdout.trim().split('\n').map((line) => JSON.parse(line) as ModelConfig);
    for (const [index, surface] of surfaces.entries()) {
      const session = await InferenceSession.create(join(repository, surface, '1', 'model.onnx'));
      const { name, backend, max_batch_size: batch = 0, input, output } = configs[index]!;
      expect({ name, backend, batch }).toEqual({ name: surface, backend: 'onnxruntime', batch: 0 });
      const byName = (a: TensorConfig, b: TensorConfig): number => (a.name < b.name ? -1 : 1);
      expect([...input].sort(byName)).toEqual([...expected(session.inputMetadata)].sort(byName));
      expect(output).toEqual(expected(session.outputMetadata));
      await session.release();
    }
  });

  it.each([
    ['no export', (): readonly string[] => [scratch, '--output', join(scratch, 'other')], 'is no export'],
    ['no output', (): readonly string[] => [shop.exports.feed.directory], 'usage:'],
    ['one that is there', (): readonly string[] => [shop.exports.feed.directory, '--output', repository], 'is there already'],
    [
      'two of one surface',
      (): readonly string[] => {
        cpSync(shop.exports.feed.directory, join(scratch, 'again'), { recursive: true });
        return [shop.exports.feed.directory, join(scratch, 'again'), '--output', join(scratch, 'other')];
      },
      'is the second export of "feed"',
    ],
  ])('is refused, and nothing is left: %s', (_, args, said) => {
    const { exit, stderr } = layOut(...args());
    expect(exit).toBe(2);
    expect(stderr).toContain(said);
    expect(existsSync(join(scratch, 'other'))).toBe(false);
    expect(readdirSync(scratch).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});
