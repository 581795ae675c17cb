/**
 * Rows of a matrix put into rectangles and back: attention needs `[requests, heads, length, d]`, everything else runs on
 * the flat rows, without padding. Each op is the other's gradient, and both are gathers: no row is used twice, so nothing
 * is ever scattered.
 */
import type { Emitter, OpDefinition } from '../definition.js';
import { GraphError } from '../errors.js';
import { part } from '../part.js';
import { describeTensor } from '../shapes.js';
import { booleanAttribute, makeNode, numberAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { zerosLike } from './zeros-like.js';

/** Where rows stand in rectangles. */
export interface RowGroups {
  /** int32 of any shape, one a group: the row at each place; −1 for padding. No row stands twice. */
  readonly sources: readonly Tensor[];
  /** int32 `[rows]`: the place of each row, counted through the groups one after the other; −1 for a row without. */
  readonly places: Tensor;
  /** Whether some row has no place. */
  readonly partial: boolean;
}

const requireGroups = (op: string, rows: Tensor, { sources, places }: RowGroups): void => {
  const isInt32 = (tensor: Tensor): boolean => tensor.dtype === 'int32';
  if (rows.shape.length === 2 && typeof rows.shape[1] === 'number' && sources.length > 0 && [...sources, places].every(isInt32) && places.shape.length === 1) return;
  throw new GraphError(
    'shape',
    `${op}: expected rows [n, d] and int32 sources and places; got ${[rows, ...sources, places].map(describeTensor).join(' and ')}`,
  );
};

/**
 * The row at every place of every group: `[...sources[g], d]` per group.
 *
 * @param x `[rows, d]`
 * @param padding what stands at padding: `zero`, or `any` row, which is cheaper and needs at least one
 */
export const groupRows = (x: Tensor, groups: RowGroups, padding: 'zero' | 'any'): Tensor[] => {
  requireGroups('groupRows', x, groups);
  const attributes = { zero: padding === 'zero', partial: groups.partial };
  const owner = makeNode('groupRows', x.dtype, x.shape, [x, groups.places, ...groups.sources], attributes);
  return groups.sources.map((source, index) => part(owner, index, x.dtype, [...source.shape, x.shape[1]!]));
};

/**
 * The inverse: each row from its place, `[rows, d]`; zeros for a row without.
 *
 * @param parts `[...sources[g], d]` per group
 */
export const ungroupRows = (parts: readonly Tensor[], groups: RowGroups): Tensor => {
  const [first] = parts;
  const width = first?.shape.at(-1);
  if (first === undefined || width === undefined || parts.length !== groups.sources.length || parts.some((one, index) => one.shape.length !== groups.sources[index]!.shape.length + 1 || one.shape.at(-1) !== width)) {
    throw new GraphError('shape', `ungroupRows: ${parts.map(describeTensor).join(' and ')} do not fit ${groups.sources.map(describeTensor).join(' and ')}`);
  }
  const attributes = { partial: groups.partial, groups: parts.length };
  const node = makeNode('ungroupRows', first.dtype, [groups.places.shape[0]!, width], [groups.places, ...parts, ...groups.sources], attributes);
  requireGroups('ungroupRows', node, groups);
  return node;
};

const zeroRow = (emitter: Emitter, node: Tensor): string =>
  emitter.constant(new Array<number>(node.shape[1] as number).fill(0), node.dtype, [1, node.shape[1] as number]);

const gatherRows = (emitter: Emitter, rows: string, indices: Tensor): string =>
  emitter.node('Gather', [rows, emitter.value(indices)], { axis: { int: 0 } });

/** `groupRows`: its gradient takes each row's from its place. */
export const groupRowsDefinition: OpDefinition = {
  kind: 'groupRows',
  partsGradient: (node, gradients) => {
    const [x, places, ...sources] = node.inputs as [Tensor, Tensor, ...Tensor[]];
    const pieces = sources.map((source, index) => gradients[index] ?? zerosLike(part(node, index, x.dtype, [...source.shape, x.shape[1]!])));
    return [ungroupRows(pieces, { sources, places, partial: booleanAttribute(node, 'partial') }), undefined];
  },
  // ONNX counts a negative index from the back: −1 is the last row, the appended zeros where padding must be zero.
  reads: ({ inputs: [x, , ...sources] }) => [x!, ...sources],
  emit: (node, emitter) => {
    const [x, , ...sources] = node.inputs as [Tensor, Tensor, ...Tensor[]];
    const rows = booleanAttribute(node, 'zero') ? emitter.node('Concat', [emitter.value(x), zeroRow(emitter, node)], { axis: { int: 0 } }) : emitter.value(x);
    return sources.map((source) => gatherRows(emitter, rows, source));
  },
};

/** `ungroupRows`: its gradient puts each row's into its place, and zeros at padding. */
export const ungroupRowsDefinition: OpDefinition = {
  kind: 'ungroupRows',
  gradient: (node, gradient) => {
    const [places, ...rest] = node.inputs as [Tensor, ...Tensor[]];
    const count = numberAttribute(node, 'groups');
    const groups = { sources: rest.slice(count), places, partial: booleanAttribute(node, 'partial') };
    return [undefined, ...groupRows(gradient, groups, 'zero')];
  },
  reads: (node) => node.inputs.slice(0, 1 + (numberAttribute(node, 'groups'))),
  emit: (node, emitter) => {
    const count = numberAttribute(node, 'groups');
    const width = node.shape[1] as number;
    const flat = node.inputs.slice(1, 1 + count).map((one) => emitter.node('Reshape', [emitter.value(one), emitter.int64([-1, width])]));
    const pieces = booleanAttribute(node, 'partial') ? [...flat, zeroRow(emitter, node)] : flat;
    const rows = pieces.length === 1 ? pieces[0]! : emitter.node('Concat', pieces, { axis: { int: 0 } });
    return gatherRows(emitter, rows, node.inputs[0]!);
  },
};
