import { describe, expect, it } from 'vitest';
import { checkGradients, weightedSum } from './check/finite-differences.js';
import type { Feeds } from './check/run-graph.js';
import { constant, input, parameter, scalar } from './inputs.js';
import { abs } from './ops/abs.js';
import { add } from './ops/add.js';
import { attention } from './ops/attention.js';
import { cast } from './ops/cast.js';
import { clip } from './ops/clip.js';
import { greater } from './ops/comparison.js';
import { concat, splitRows } from './ops/concat.js';
import { div } from './ops/div.js';
import { erf } from './ops/erf.js';
import { exp } from './ops/exp.js';
import { gather, scatterRows } from './ops/gather.js';
import { gelu } from './ops/gelu.js';
import { groupRows, ungroupRows } from './ops/group-rows.js';
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
import { broadcastRows, segmentSum } from './ops/segments.js';
import { sigmoidCrossEntropy } from './ops/sigmoid-cross-entropy.js';
import { sigmoid } from './ops/sigmoid.js';
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
import { OPS } from './registry.js';
import type { DType, Dim, Tensor } from './tensor.js';
import { walk } from './traverse.js';

/** Kinds for which ONNX Runtime 1.30 has no double-precision kernel on the CPU: checked in single precision. */
const SINGLE_PRECISION = new Set(['erf', 'gelu', 'softplus']);

/** Builds what is differentiated from the variables, in the order of `shapes`. */
type Build = (variables: readonly Tensor[], dtype: DType) => Tensor;

interface Case {
  readonly kind: string;
  readonly title: string;
  readonly shapes: readonly (readonly number[])[];
  readonly build: Build;
  /** Range of the values (default −1.5 to 1.5; none lies within 0.02 of 0). */
  readonly range?: readonly [number, number];
  /** Symbolic shapes where they are not the real ones. */
  readonly declared?: readonly (readonly Dim[])[];
  readonly feeds?: Feeds;
  readonly dtype?: DType;
}

const CASES: Case[] = [];
const check = (kind: string, title: string, shapes: readonly (readonly number[])[], build: Build, more: Partial<Case> = {}): void => {
  CASES.push({ kind, title, shapes, build, ...more });
};

/** Values spread over a range, none near 0, none twice. */
const spread = (count: number, [low, high]: readonly [number, number], seed: number): number[] =>
  Array.from({ length: count }, (_, index) => {
    const value = low + (high - low) * (((index + 1) * 0.6180339887 + seed * 0.3247179572) % 1);
    return Math.abs(value) < 0.02 ? value + 0.05 : value;
  });

const positive = { range: [0.3, 2.5] as const };
const unary = { neg, square, exp, abs, sigmoid, tanh, relu, gelu, erf, softplus };
for (const [kind, op] of Object.entries(unary)) check(kind, 'elementwise', [[3, 4]], ([x]) => op(x!));
for (const [kind, op] of Object.entries({ sqrt, log, reciprocal })) check(kind, 'elementwise', [[3, 4]], ([x]) => op(x!), positive);
check('clip', 'inside and outside the bounds', [[4, 4]], ([x]) => clip(x!, -0.77, 0.81));

const broadcasts: [string, number[], number[]][] = [
  ['equal shapes', [3, 4], [3, 4]],
  ['a row', [3, 4], [4]],
  ['a column', [3, 1], [3, 4]],
  ['both ways', [3, 1, 4], [2, 1]],
  ['a rank-0 operand', [], [2, 3]],
];
for (const [kind, op] of Object.entries({ add, sub, mul, div, maximum, minimum })) {
  for (const [title, a, b] of broadcasts) {
    check(kind, title, [a, b], ([x, y]) => op(x!, y!), kind === 'div' ? positive : {});
  }
}
check('mul', 'with itself', [[3, 4]], ([x]) => mul(x!, mul(x!, x!)));
check('sigmoidCrossEntropy', 'logits and soft labels', [[4, 2], [4, 2]], ([z, y]) => sigmoidCrossEntropy(z!, y!));
check('sigmoidCrossEntropy', 'broadcast labels', [[4, 2], [2]], ([z, y]) => sigmoidCrossEntropy(z!, y!), { dtype: 'float32' });
check('where', 'broadcast condition and branches', [[3, 4], [4], [3, 1]], ([x, a, b]) =>
  where(greater(x!, scalar(0, x!.dtype)), a!, b!),
);
check('cast', 'to double precision and back', [[3, 4]], ([x], dtype) => cast(tanh(cast(x!, 'float64')), dtype), { dtype: 'float32' });

for (const [title, axes] of [['first', [0]], ['middle', [1]], ['two', [0, -1]], ['all', [0, 1, 2]]] as const) {
  for (const keepDims of [false, true]) {
    const name = `${title} axes, keepDims ${keepDims}`;
    check('reduceSum', name, [[2, 3, 4]], ([x]) => reduceSum(square(x!), axes, { keepDims }));
    check('reduceMean', name, [[2, 3, 4]], ([x]) => reduceMean(square(x!), axes, { keepDims }));
    check('reduceMax', name, [[2, 3, 4]], ([x]) => reduceMax(x!, axes, { keepDims }));
  }
}
check('reduceMean', 'over symbolic axes', [[5, 3]], ([x]) => reduceMean(square(x!), [0]), { declared: [['rows', 3]] });
check('reduceMean', 'over two symbolic axes', [[5, 3, 2]], ([x]) => reduceMean(square(x!), [0, 1, 2]), {
  declared: [['rows', 'steps', 2]],
});
check('expand', 'new and widened axes', [[3, 1]], ([x]) => transpose(expand(x!, [2, 3, 4]), [2, 0, 1]));
check('expand', 'to symbolic dims', [[1, 2], [4, 2]], ([x, y]) => reduceSum(square(concat([expand(x!, ['rows', 2], y), y!], 1)), [0]), {
  declared: [[1, 2], ['rows', 2]],
});
check('softmax', 'last axis', [[3, 4]], ([x]) => softmax(x!, -1));
check('softmax', 'first axis', [[3, 4]], ([x]) => softmax(x!, 0));
check('layerNorm', 'rank 2', [[3, 5], [5], [5]], ([x, scale, bias]) => layerNorm(x!, scale!, bias!));
check('layerNorm', 'without parameters', [[3, 5]], ([x], dtype) => layerNorm(x!, constant(new Array<number>(5).fill(1), dtype, [5]), constant(new Array<number>(5).fill(0), dtype, [5])));
check('layerNorm', 'rank 3, own epsilon', [[2, 3, 4], [4], [4]], ([x, scale, bias]) => layerNorm(x!, scale!, bias!, 1e-2));

for (const transposeA of [false, true]) {
  for (const transposeB of [false, true]) {
    const matrix = (rows: number, columns: number, transposed: boolean): number[] => (transposed ? [columns, rows] : [rows, columns]);
    const batches: [string, number[], number[]][] = [
      ['matrices', [], []],
      ['batches', [2], [2]],
      ['batches by one matrix', [2, 3], []],
      ['one matrix by batches', [], [2]],
      ['broadcast batches', [2, 1], [3]],
    ];
    for (const [title, a, b] of batches) {
      const shapes = [[...a, ...matrix(3, 4, transposeA)], [...b, ...matrix(4, 2, transposeB)]];
      const name = `${title}${transposeA ? ', a transposed' : ''}${transposeB ? ', b transposed' : ''}`;
      check('matmul', name, shapes, ([x, y]) => matmul(x!, y!, { transposeA, transposeB }));
    }
  }
}
check('matmul', 'symbolic batches by one matrix', [[2, 3, 4], [4, 2]], ([x, y]) => reduceSum(square(matmul(x!, y!)), [0, 1]), {
  declared: [['requests', 3, 4], [4, 2]],
});

check('matmul', 'scaled', [[2, 3, 4], [4, 2]], ([x, y]) => matmul(x!, y!, { scale: 0.3 }));
check('matmul', 'scaled, both transposed', [[4, 3], [2, 4]], ([x, y]) => matmul(x!, y!, { transposeA: true, transposeB: true, scale: -2 }));

check('matmul', 'to few wide rows', [[5, 2], [2, 7]], ([x, y]) => matmul(x!, y!));

const attended = [[2, 2, 3, 2], [2, 2, 4, 2], [2, 2, 4, 2]];
check('attention', 'without biases', attended, ([q, k, v]) => attention(q!, k!, v!, { scale: 0.7 }));
check('attention', 'learned biases of several shapes', [...attended, [3, 4], [2, 1, 1, 4]], ([q, k, v, position, key]) =>
  attention(q!, k!, v!, { scale: 0.5, biases: [position!, key!] }),
);
const hiddenKeys = { values: [0, -1e9, 0, 0, 0, 0, 0, -1e9], shape: [2, 1, 1, 4], dtype: 'float32' as const };
check(
  'attention',
  'hidden keys, symbolic dims',
  attended,
  ([q, k, v]) => reduceSum(square(attention(q!, k!, v!, { scale: 0.5, biases: [input('hide', 'float32', ['requests', 1, 1, 'keys'])] })), [0, 2]),
  { declared: [['requests', 2, 'queries', 2], ['requests', 2, 'keys', 2], ['requests', 2, 'keys', 2]], feeds: { hide: hiddenKeys }, dtype: 'float32' },
);

check('transpose', 'three axes', [[2, 3, 4]], ([x]) => transpose(x!, [2, 0, 1]));
check('unsqueeze', 'two axes', [[2, 3]], ([x]) => unsqueeze(x!, [0, -1]));
check('squeeze', 'two axes', [[1, 3, 1]], ([x]) => squeeze(x!, [0, 2]));
check('reshape', 'known dims', [[2, 6]], ([x]) => reshape(x!, [3, 4]));
check('reshape', 'a symbolic dim joined', [[3, 2, 2]], ([x]) => reduceSum(square(reshape(x!, ['rows*2', 2])), [0]), {
  declared: [['rows', 2, 2]],
});
check('reshape', 'two symbolic dims', [[3, 2, 4]], ([x]) => reduceSum(square(reshape(x!, ['rows', 2, 'steps', 2])), [0, 2]), {
  declared: [['rows', 'steps', 4]],
});
check('slice', 'inner axis, negative end', [[3, 5]], ([x]) => slice(x!, 1, 1, -1));
check('slice', 'first axis', [[4, 2]], ([x]) => slice(x!, 0, 2, 4));
check('pad', 'inner axis', [[3, 2]], ([x]) => pad(x!, 1, 1, 2));
check('concat', 'inner axis, one part twice', [[3, 2], [3, 1]], ([x, y]) => concat([x!, y!, x!], 1));
check('concat', 'symbolic rows', [[2, 3], [4, 3]], ([x, y]) => reduceSum(square(concat([x!, y!], 0, { dim: 'all' })), [0]), {
  declared: [['left', 3], ['right', 3]],
});
const sizes = { values: [2, 0, 3], shape: [3], dtype: 'int64' as const };
check(
  'split',
  'parts used, unused and empty',
  [[5, 2]],
  ([x]) => {
    const [first, empty, last] = splitRows(x!, input('sizes', 'int64', [3]), ['a', 'b', 'c']);
    const joined = concat([tanh(first!), exp(empty!)], 0);
    return add(reduceSum(joined, [0]), square(reduceSum(last!, [0])));
  },
  { declared: [['rows', 2]], feeds: { sizes } },
);
check(
  'split',
  'only the empty part used',
  [[5, 2]],
  ([x]) => reduceSum(square(splitRows(x!, input('sizes', 'int64', [3]), ['a', 'b', 'c'])[1]!), [0]),
  { declared: [['rows', 2]], feeds: { sizes } },
);

const rows = (values: number[], shape: readonly number[]): Tensor => constant(values, 'int64', shape);
check('gather', 'few rows, repeated and negative indices', [[3, 4]], ([x]) => gather(x!, rows([2, 0, 2, -1, 2], [5])));
check('gather', 'many rows, repeated and negative indices', [[200, 1]], ([x]) => gather(x!, rows([199, 0, 7, 7, -1], [5])));
check('gather', 'indices of rank 2', [[3, 2]], ([x]) => gather(x!, rows([2, 0, 2, 1], [2, 2])));
check('gather', 'rows of rank 0', [[3]], ([x]) => gather(x!, rows([2, 0, 2, 1], [2, 2])));
check('gather', 'rows of rank 2', [[3, 2, 2]], ([x]) => gather(x!, rows([2, 0, 2], [3])));
check('gather', 'a symbolic number of rows', [[3, 2]], ([x]) => gather(x!, rows([2, 0, 2], [3])), { declared: [['table', 2]] });
check('scatterRows', 'few rows', [[5, 2]], ([x]) => scatterRows(x!, rows([2, 0, 2, 1, 2], [5]), constant(Array(6).fill(0), x!.dtype, [3, 2])));

const int32 = (values: number[], shape: readonly number[]): Tensor => constant(values, 'int32', shape);
// Rows 0, 3 and 1 in one rectangle, 4 in another; row 2 has no place in the partial ones.
const partialGroups = { sources: [int32([0, -1, 3, 1], [2, 2]), int32([4], [1])], places: int32([0, 3, -1, 2, 4], [5]), partial: true };
const wholeGroups = { sources: [int32([0, -1, 3, 1], [2, 2]), int32([4, 2, -1], [1, 3])], places: int32([0, 3, 5, 2, 4], [5]), partial: false };
/** Values at padding are no result: they may be any row's, so a loss leaves them out. */
const paddingOut = (parts: readonly Tensor[], dtype: DType): Tensor =>
  concat([mul(parts[0]!, constant([1, 0, 1, 1], dtype, [2, 2, 1])), mul(parts[1]!, constant([1, 1, 0], dtype, [1, 3, 1]))].map((one, index) => reshape(one, [index === 0 ? 4 : 3, 2])), 0);
check('groupRows', 'zero padding, a row without a place', [[5, 2]], ([x]) => {
  const [first, second] = groupRows(x!, partialGroups, 'zero');
  return concat([reshape(square(first!), [4, 2]), second!], 0);
});
check('groupRows', 'any padding', [[5, 2]], ([x], dtype) => paddingOut(groupRows(x!, wholeGroups, 'any').map(square), dtype));
check('groupRows', 'one group unused', [[5, 2]], ([x]) => reshape(groupRows(x!, partialGroups, 'zero')[0]!, [4, 2]));
check('ungroupRows', 'every row has a place', [[2, 2, 2], [1, 3, 2]], ([a, b]) => ungroupRows([a!, b!], wholeGroups));
check('ungroupRows', 'a row without a place', [[2, 2, 2], [1, 2]], ([a, b]) => ungroupRows([a!, b!], partialGroups));

const segmentInputs = (dtype: DType): [Tensor, { slots: Tensor; mask: Tensor }] => [
  rows([0, 0, 0, 2, 3, 3], [6]),
  {
    slots: rows([0, 1, 2, 0, 0, 0, 3, 0, 0, 4, 5, 0], [4, 3]),
    mask: constant([1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0], dtype, [4, 1, 3]),
  },
];
check('broadcastRows', 'ragged, one request empty', [[4, 3]], ([x], dtype) => broadcastRows(x!, ...segmentInputs(dtype)));
check('segmentSum', 'ragged, one request empty', [[6, 3]], ([x], dtype) => segmentSum(x!, ...segmentInputs(dtype)));
check('segmentSum', 'rows of rank 2', [[6, 3, 2]], ([x], dtype) => segmentSum(x!, ...segmentInputs(dtype)));
check('segmentSum', 'rows of rank 0', [[6]], ([x], dtype) => segmentSum(x!, ...segmentInputs(dtype)));

const prepare = (testCase: Case): { loss: Tensor; variables: Tensor[]; feeds: Feeds } => {
  const dtype = testCase.dtype ?? (SINGLE_PRECISION.has(testCase.kind) ? 'float32' : 'float64');
  const variables = testCase.shapes.map((shape, index) => {
    const declared = testCase.declared?.[index];
    return declared === undefined ? parameter(`x${index}`, shape, dtype) : input(`x${index}`, dtype, declared);
  });
  const feeds = Object.fromEntries(
    testCase.shapes.map((shape, index) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      return [`x${index}`, { values: spread(size, testCase.range ?? [-1.5, 1.5], index), shape, dtype }];
    }),
  );
  return { loss: weightedSum(testCase.build(variables, dtype)), variables, feeds: { ...feeds, ...testCase.feeds } };
};

describe('gradients equal finite differences', () => {
  const differentiable = [...OPS.values()].filter((op) => op.gradient !== undefined || op.partsGradient !== undefined);

  it('every op that has a gradient is checked', () => {
    const checked = new Set(CASES.map((testCase) => testCase.kind));
    expect(differentiable.map((op) => op.kind).filter((kind) => !checked.has(kind))).toEqual([]);
  });

  it('every check reaches its op', () => {
    for (const testCase of CASES) {
      const kinds = new Set<string>();
      walk([prepare(testCase).loss], (node) => kinds.add(node.kind));
      expect(kinds, testCase.title).toContain(testCase.kind);
    }
  });

  for (const testCase of CASES) {
    it(`${testCase.kind}: ${testCase.title}`, async () => {
      const prepared = prepare(testCase);
      expect(await checkGradients(prepared, { level: 'disabled' })).toEqual([]);
      expect(await checkGradients(prepared, { level: 'all' })).toEqual([]);
    });
  }

  for (const testCase of CASES.filter(({ kind }) => ['matmul', 'gather', 'attention', 'add', 'layerNorm', 'relu', 'reduceSum'].includes(kind))) {
    it(`${testCase.kind}: ${testCase.title}, with contrib ops`, async () => {
      const prepared = prepare({ ...testCase, dtype: 'float32' });
      expect(await checkGradients(prepared, { level: 'disabled', allowContrib: true })).toEqual([]);
      expect(await checkGradients(prepared, { level: 'all', allowContrib: true })).toEqual([]);
    });
  }
});
