import type { OpDefinition } from '../definition.js';
import { emitShape, isShapeKnown } from '../emit-shape.js';
import { GraphError } from '../errors.js';
import { dimProduct, formatShape, sameShape } from '../shapes.js';
import { makeNode } from '../tensor.js';
import type { Dim, Tensor } from '../tensor.js';

/**
 * Whether Reshape can find all dims itself: those known, those that x has on the same axis (its 0), and one more (its -1).
 * A known dim of 0 takes both notations away.
 */
const isStraightforward = (x: Tensor, shape: readonly Dim[]): boolean =>
  shape.includes(0)
    ? isShapeKnown(shape)
    : shape.filter((dim, axis) => typeof dim === 'string' && dim !== x.shape[axis]).length <= 1;

/**
 * The same elements, row-major, in another shape. Its symbolic dims are those that x has on the same axis and at most one
 * more; or any that x or `like` has.
 * @throws GraphError `shape` when the sizes are known to differ, or a symbolic dim has no source.
 */
export const reshape = (x: Tensor, shape: readonly Dim[], like?: Tensor): Tensor => {
  if (sameShape(x.shape, shape)) return x;
  const [before, after] = [dimProduct(x.shape), dimProduct(shape)];
  if (typeof before === 'number' && typeof after === 'number' && before !== after) {
    throw new GraphError('shape', `reshape: ${formatShape(x.shape)} does not fill ${formatShape(shape)}`);
  }
  const source = x.kind === 'reshape' ? x.inputs[0]! : x;
  if (sameShape(source.shape, shape)) return source;
  if (isStraightforward(source, shape)) return makeNode('reshape', x.dtype, shape, [source]);
  if (isStraightforward(x, shape)) return makeNode('reshape', x.dtype, shape, [x]);
  const model = [x, ...(like === undefined ? [] : [like])].find((tensor) =>
    shape.every((dim) => typeof dim === 'number' || tensor.shape.includes(dim)),
  );
  if (model === undefined) {
    throw new GraphError(
      'shape',
      `reshape: ${formatShape(x.shape)} to ${formatShape(shape)} leaves more than one dim unknown; pass a \`like\` that has them`,
    );
  }
  return makeNode('reshape', x.dtype, shape, [x, model]);
};

/** `reshape`. */
export const reshapeDefinition: OpDefinition = {
  kind: 'reshape',
  gradient: ({ inputs: [x] }, gradient) => [reshape(gradient, x!.shape, x), undefined],
  emit: (node, emitter) => {
    const [x, like] = node.inputs;
    const target =
      like === undefined
        ? emitter.int64(node.shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === x!.shape[axis] ? 0 : -1)))
        : emitShape(emitter, node.shape, like);
    return emitter.node('Reshape', [emitter.value(x!), target], hasEmptyDim(node) ? { allowzero: { int: 1 } } : undefined);
  },
};

/** A known dim of 0 would read as "copy" unless the node says otherwise. */
const hasEmptyDim = (node: Tensor): boolean => node.shape.includes(0);
