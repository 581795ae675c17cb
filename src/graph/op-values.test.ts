import { describe, expect, it } from 'vitest';
import { loadGraph } from './check/run-graph.js';
import { constant, input, parameter, scalar } from './inputs.js';
import { abs } from './ops/abs.js';
import { add } from './ops/add.js';
import { cast } from './ops/cast.js';
import { clip } from './ops/clip.js';
import { equal, greater } from './ops/comparison.js';
import { concat, splitRows } from './ops/concat.js';
import { div } from './ops/div.js';
import { erf } from './ops/erf.js';
import { exp } from './ops/exp.js';
import { gather, scatterRows } from './ops/gather.js';
import { gelu } from './ops/gelu.js';
import { layerNorm } from './ops/layer-norm.js';
import { log } from './ops/log.js';
import { matmul } from './ops/matmul.js';
import { maximum, minimum } from './ops/maximum.js';
import { mul } from './ops/mul.js';
import { neg } from './ops/neg.js';
import { reciprocal } from './ops/reciprocal.js';
import { reduceMax } from './ops/reduce-max.js';
import { reduceMean } from './ops/reduce-mean.js';
import { expand, reduceSum } from './ops/reduce-sum.js';
import { relu } from './ops/relu.js';
import { reshape } from './ops/reshape.js';
import { sigmoidCrossEntropy } from './ops/sigmoid-cross-entropy.js';
import { sigmoid } from './ops/sigmoid.js';
import { sign } from './ops/sign.js';
import { sizeOf } from './ops/size-of.js';
import { pad, slice } from './ops/slice.js';
import { softmax } from './ops/softmax.js';
import { softplus } from './ops/softplus.js';
import { sqrt } from './ops/sqrt.js';
import { square } from './ops/square.js';
import { squeeze, unsqueeze } from './ops/squeeze.js';
import { sub } from './ops/sub.js';
import { tanh } from './ops/tanh.js';
import { transpose } from './ops/transpose.js';
import { where } from './ops/where.js';
import type { Tensor } from './tensor.js';

/** Value of a graph of constants. */
const evaluate = async (tensor: Tensor): Promise<{ values: readonly number[]; shape: readonly number[] }> =>
  (await (await loadGraph({ result: tensor })).run({}))['result']!;

const valuesOf = async (tensor: Tensor): Promise<readonly number[]> => (await evaluate(tensor)).values;

const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
};

const floats = (values: number[], shape: number[] = [values.length]): Tensor => constant(values, 'float32', shape);
const range = (shape: number[]): Tensor => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return floats(Array.from({ length: size }, (_, index) => index + 1), shape);
};

describe('elementwise ops', () => {
  const points = [0.2, 0.9, 1, 1.7, 3];
  /** Abramowitz & Stegun 7.1.26. */
  const erfOf = (x: number): number => {
    const t = 1 / (1 + 0.3275911 * x);
    const series = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
    return 1 - series.reduceRight((sum, factor) => (sum + factor) * t, 0) * Math.exp(-x * x);
  };
  const unary: [(x: Tensor) => Tensor, (x: number) => number][] = [
    [neg, (x) => -x],
    [square, (x) => x * x],
    [sqrt, Math.sqrt],
    [exp, Math.exp],
    [log, Math.log],
    [(x) => abs(neg(x)), Math.abs],
    [(x) => sign(neg(x)), () => -1],
    [sigmoid, (x) => 1 / (1 + Math.exp(-x))],
    [tanh, Math.tanh],
    [(x) => relu(sub(x, scalar(1))), (x) => Math.max(0, x - 1)],
    [softplus, (x) => Math.log1p(Math.exp(x))],
    [reciprocal, (x) => 1 / x],
    [erf, erfOf],
    [gelu, (x) => 0.5 * x * (1 + erfOf(x / Math.SQRT2))],
    [(x) => clip(x, 0.5, 2), (x) => Math.min(2, Math.max(0.5, x))],
    [(x) => cast(cast(x, 'int32'), 'float32'), Math.trunc],
  ];
  for (const [op, expected] of unary) {
    it(op(floats(points)).kind, async () => {
      close(await valuesOf(op(floats(points))), points.map(expected));
    });
  }

  it('of two operands broadcast', async () => {
    const [column, row] = [floats([1, 2], [2, 1]), floats([4, 0.5])];
    expect(await evaluate(add(column, row))).toEqual({ values: [5, 1.5, 6, 2.5], shape: [2, 2] });
    expect(await valuesOf(sub(column, row))).toEqual([-3, 0.5, -2, 1.5]);
    expect(await valuesOf(mul(column, row))).toEqual([4, 0.5, 8, 1]);
    expect(await valuesOf(div(column, row))).toEqual([0.25, 2, 0.5, 4]);
    expect(await valuesOf(maximum(column, row))).toEqual([4, 1, 4, 2]);
    expect(await valuesOf(minimum(column, row))).toEqual([1, 0.5, 2, 0.5]);
    expect(await valuesOf(greater(column, row))).toEqual([0, 1, 0, 1]);
    expect(await valuesOf(equal(column, floats([1, 2])))).toEqual([1, 0, 0, 1]);
    expect(await valuesOf(where(greater(column, row), column, row))).toEqual([4, 1, 4, 2]);
  });

  it('sigmoidCrossEntropy holds at extreme logits', async () => {
    const logits = [-80, -20, -1, 0, 1, 20, 80];
    const loss = (label: number) => (z: number): number => Math.max(z, 0) - z * label + Math.log1p(Math.exp(-Math.abs(z)));
    for (const label of [0, 0.3, 1]) {
      const result = await valuesOf(sigmoidCrossEntropy(floats(logits), floats([label])));
      result.forEach((value, index) => {
        const expected = loss(label)(logits[index]!);
        expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-6 * expected);
      });
    }
  });
});

describe('ops over axes', () => {
  it('reduce', async () => {
    expect(await evaluate(reduceSum(range([2, 3]), [1]))).toEqual({ values: [6, 15], shape: [2] });
    expect(await evaluate(reduceMean(range([2, 3]), [0], { keepDims: true }))).toEqual({ values: [2.5, 3.5, 4.5], shape: [1, 3] });
    expect(await evaluate(reduceMax(range([2, 3]), [-1, 0]))).toEqual({ values: [6], shape: [] });
    const x = range([2, 3]);
    expect(reduceSum(x, [])).toBe(x);
  });

  it('softmax does not overflow', async () => {
    close(await valuesOf(softmax(floats([1000, 1000, 999], [1, 3]), 1)), [0.4223188, 0.4223188, 0.1553624]);
  });

  it('layerNorm', async () => {
    const result = await valuesOf(layerNorm(floats([1, 2, 3, 10, 20, 30], [2, 3]), floats([1, 2, 3]), floats([0, 1, 0]), 0));
    close(result, [-1.2247449, 1, 3.6742346, -1.2247449, 1, 3.6742346]);
  });

  it('matmul', async () => {
    const [a, b] = [range([2, 3]), range([3, 2])];
    expect(await evaluate(matmul(a, b))).toEqual({ values: [22, 28, 49, 64], shape: [2, 2] });
    expect(await valuesOf(matmul(a, a, { transposeB: true }))).toEqual([14, 32, 32, 77]);
    expect((await evaluate(matmul(range([4, 2, 3]), b))).shape).toEqual([4, 2, 2]);
  });
});

describe('ops that move elements', () => {
  it('reorder, cut and join', async () => {
    expect(await evaluate(transpose(range([2, 3]), [1, 0]))).toEqual({ values: [1, 4, 2, 5, 3, 6], shape: [3, 2] });
    expect(await evaluate(reshape(range([2, 3]), [3, 2]))).toEqual({ values: [1, 2, 3, 4, 5, 6], shape: [3, 2] });
    expect((await evaluate(unsqueeze(range([2, 3]), [0, 2]))).shape).toEqual([1, 2, 1, 3]);
    expect((await evaluate(squeeze(range([1, 2, 1]), [0, -1]))).shape).toEqual([2]);
    expect(await evaluate(expand(floats([1, 2], [2, 1]), [2, 2]))).toEqual({ values: [1, 1, 2, 2], shape: [2, 2] });
    expect(await valuesOf(slice(range([2, 3]), 1, -2, 3))).toEqual([2, 3, 5, 6]);
    expect(await valuesOf(pad(range([2, 1]), 1, 1, 0))).toEqual([0, 1, 0, 2]);
    expect(await valuesOf(concat([range([2, 1]), range([2, 2])], 1))).toEqual([1, 1, 2, 2, 3, 4]);
    expect((await evaluate(reshape(floats([], [0, 4]), [2, 0]))).shape).toEqual([2, 0]);
    const empty = await loadGraph({ y: reshape(input('x', 'float32', ['rows', 0, 2]), ['rows', 2, 0]) });
    expect((await empty.run({ x: { values: [], shape: [3, 0, 2], dtype: 'float32' } }))['y']!.shape).toEqual([3, 2, 0]);
  });

  it('look up and sum rows', async () => {
    const ids = constant([2, 0, -1], 'int32', [3]);
    expect(await valuesOf(gather(range([3, 2]), ids))).toEqual([5, 6, 1, 2, 5, 6]);
    for (const rows of [3, 300]) {
      const sums = await valuesOf(scatterRows(range([3, 2]), ids, floats(Array<number>(rows * 2).fill(0), [rows, 2])));
      const last = rows === 3 ? [3, 4, 0, 0, 6, 8] : [3, 4, 0, 0, 1, 2];
      expect(sums.slice(0, 6)).toEqual(last);
    }
  });

  it('splitRows gives parts of any size, none included', async () => {
    const parts = splitRows(range([4, 2]), constant([0, 3, 0, 1], 'int64', [4]), ['a', 'b', 'c', 'd']);
    const graph = await loadGraph(Object.fromEntries(parts.map((tensor, index) => [`part${index}`, tensor])));
    expect(Object.values(await graph.run({}))).toEqual([
      { values: [], shape: [0, 2] },
      { values: [1, 2, 3, 4, 5, 6], shape: [3, 2] },
      { values: [], shape: [0, 2] },
      { values: [7, 8], shape: [1, 2] },
    ]);
  });

  it('sizeOf counts when the graph runs', async () => {
    const x = input('x', 'float32', ['rows', 3, 'steps']);
    const outputs = { all: sizeOf(x, [0, 1, 2]), rows: sizeOf(x, [0], 'int64'), known: sizeOf(x, [1]) };
    const results = await (await loadGraph({ ...outputs, x2: exp(x) })).run({
      x: { values: Array<number>(24).fill(0), shape: [2, 3, 4], dtype: 'float32' },
    });
    expect([results['all'], results['rows'], results['known']].map((result) => result!.values)).toEqual([[24], [2], [3]]);
  });
});

describe('mistakes are refused, naming the op and the shapes', () => {
  const x = input('x', 'float32', ['rows', 4]);
  const cases: [string, () => unknown, string][] = [
    ['broadcast', () => add(x, parameter('b', [3])), 'add: shapes [rows, 4] and [3] do not broadcast'],
    ['symbolic dims', () => add(x, input('y', 'float32', ['users', 4])), 'add: shapes [rows, 4] and [users, 4] do not broadcast'],
    ['dtypes', () => mul(x, scalar(1, 'float64')), 'mul: dtypes differ: x: float32 [rows, 4] and float64 []; cast one'],
    ['bool', () => exp(greater(x, scalar(0))), 'exp: got bool [rows, 4]; cast it to a number first'],
    ['inner dims', () => matmul(x, parameter('w', [3, 2])), 'matmul: inner dims differ (4 and 3): x: float32 [rows, 4] and w: float32 [3, 2]'],
    ['rank', () => matmul(x, parameter('w', [4])), 'matmul: x: float32 [rows, 4] and w: float32 [4] need rank 2 or more'],
    ['axis', () => reduceSum(x, [2]), 'reduceSum: axis 2 is out of range for rank 2'],
    ['axis twice', () => reduceMax(x, [1, -1]), 'reduceMax: axes [1, -1] name one axis twice'],
    ['reshape', () => reshape(parameter('w', [2, 3]), [4]), 'reshape: [2, 3] does not fill [4]'],
    ['unknown dims', () => reshape(x, ['a', 'b', 4]), 'reshape: [rows, 4] to [a, b, 4] leaves more than one dim unknown'],
    ['expand', () => expand(parameter('w', [2, 3]), [2, 4]), 'expand: shapes [2, 3] and [2, 4] do not broadcast'],
    ['expand to unknown', () => expand(scalar(1), ['rows']), 'expand: dim rows of [rows] needs a tensor that has it: pass `like`'],
    ['slice', () => slice(x, 1, 2, 5), 'slice: 2 to 5 lies outside axis 1 of [rows, 4]'],
    ['slice symbolic', () => slice(x, 0, 0, 1), 'slice: axis 0 of [rows, 4] is symbolic; use splitRows'],
    ['concat', () => concat([x, input('y', 'float32', ['rows', 3])], 0), 'concat: shapes x: float32 [rows, 4] and y: float32 [rows, 3] differ beside axis 0'],
    ['split', () => splitRows(x, constant([1], 'int64', [1]), ['a', 'b']), 'splitRows: sizes are int64 [1], expected int64 [2] for x: float32 [rows, 4]'],
    ['layerNorm', () => layerNorm(x, parameter('s', [3]), parameter('b', [4])), 'layerNorm: scale s: float32 [3] and bias b: float32 [4] do not fit'],
    ['transpose', () => transpose(x, [0, 0]), 'transpose: [0, 0] is no order of the axes of [rows, 4]'],
    ['squeeze', () => squeeze(x, [1]), 'squeeze: axes [1] of [rows, 4] are not all 1'],
    ['indices', () => gather(x, x), 'gather: indices are x: float32 [rows, 4], expected int64 or int32'],
    ['condition', () => where(x, x, x), 'where: the condition is x: float32 [rows, 4], not bool'],
    ['clip', () => clip(x, 1, 0), 'clip: min 1 is above max 0'],
    ['constant', () => constant([1, 2], 'float32', [3]), 'constant: 2 values do not fill shape [3]'],
    ['name', () => input('', 'float32', []), 'input: the name is empty'],
  ];
  for (const [title, build, message] of cases) {
    it(title, () => {
      expect(build).toThrow(message);
    });
  }
});
