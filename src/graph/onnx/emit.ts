/** From a symbolic graph to the bytes of an ONNX model. */
import { create, toBinary } from '@bufbuild/protobuf';
import { definitionOf } from '../registry.js';
import { GraphError } from '../errors.js';
import { numberAttribute, numbersAttribute } from '../tensor.js';
import type { Tensor } from '../tensor.js';
import { topologicalOrder } from '../traverse.js';
import { ONNX_DTYPE } from './dtypes.js';
import { GraphWriter } from './graph-writer.js';
import type { Initializer } from './initializer.js';
import { ModelProtoSchema, TensorShapeProto_DimensionSchema, ValueInfoProtoSchema } from './onnx_pb.js';
import type { ValueInfoProto } from './onnx_pb.js';

/** Operator set and file format: the first with Gelu, and the one that came with it. */
const OPSET = 20n;
const IR_VERSION = 9n;

/** What to emit and how. */
export interface EmitOptions {
  /** Name of the graph. */
  readonly name: string;
  /** Outputs by name, in this order. Only what they reach is emitted. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Values of parameters by name; a parameter without is a graph input. Those that the outputs do not reach are ignored. */
  readonly initializers?: ReadonlyMap<string, Initializer>;
  /** Ops of ONNX Runtime beyond the standard may be used where faster: for graphs that only it will run. */
  readonly allowContrib?: boolean;
  readonly docString?: string;
}

const isInputOrParameter = (node: Tensor): boolean => node.kind === 'input' || node.kind === 'parameter';

/** Inputs of a node that its emission reads. */
const readInputs = (node: Tensor): readonly Tensor[] => {
  if (isInputOrParameter(node) || node.kind === 'constant' || node.kind === 'part') return node.inputs;
  return definitionOf(node.kind).reads?.(node) ?? node.inputs;
};

/** Inputs and parameters that the outputs need, in the order of the emitted graph, each name once. */
export const requiredLeaves = (outputs: Readonly<Record<string, Tensor>>): Tensor[] => {
  const byName = new Map<string, Tensor>();
  for (const node of topologicalOrder(Object.values(outputs), readInputs)) {
    if (isInputOrParameter(node) && !byName.has(node.name!)) byName.set(node.name!, node);
  }
  return [...byName.values()];
};

const valueInfo = (name: string, tensor: Tensor): ValueInfoProto =>
  create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: ONNX_DTYPE[tensor.dtype],
          shape: {
            dim: tensor.shape.map((dim) =>
              create(TensorShapeProto_DimensionSchema, {
                value: typeof dim === 'number' ? { case: 'dimValue', value: BigInt(dim) } : { case: 'dimParam', value: dim },
              }),
            ),
          },
        },
      },
    },
  });

const partsUsed = (order: readonly Tensor[]): Map<Tensor, Set<number>> => {
  const used = new Map<Tensor, Set<number>>();
  for (const node of order) {
    if (node.kind !== 'part') continue;
    const owner = node.inputs[0]!;
    used.set(owner, (used.get(owner) ?? new Set<number>()).add(numberAttribute(node, 'index')));
  }
  return used;
};

/**
 * Emits a model. The bytes depend on the structure of the graph alone: built twice, it gives the same bytes. Equal nodes
 * are merged; what no output needs is left out. Inputs come in the order of first use.
 * @throws GraphError `name` when one name means two things, `shape` or `dtype` when an initializer does not fit
 */
export const toOnnx = (options: EmitOptions): Uint8Array => {
  const { name, outputs, initializers = new Map<string, Initializer>(), allowContrib = false, docString } = options;
  const named = Object.entries(outputs);
  if (named.length === 0) throw new GraphError('emit', `graph ${name} has no outputs`);
  const order = topologicalOrder(Object.values(outputs), readInputs);
  const writer = new GraphWriter({
    allowContrib,
    outputNames: new Set(Object.keys(outputs)),
    parameters: initializers,
    usedParts: partsUsed(order),
  });
  // Leaves first: fresh names must avoid theirs.
  for (const node of order) if (isInputOrParameter(node)) writer.addLeaf(node);
  for (const node of order) {
    if (node.kind === 'constant') {
      writer.setValue(node, writer.constant(numbersAttribute(node, 'values'), node.dtype, node.shape as readonly number[]));
    } else if (node.kind !== 'part' && !isInputOrParameter(node)) {
      writer.setValue(node, definitionOf(node.kind).emit(node, writer));
    }
  }
  for (const [outputName, tensor] of named) writer.nameOutput(outputName, tensor);
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: 'onefold',
    opsetImport: [
      { domain: '', version: OPSET },
      ...(writer.usesDomain('com.microsoft') ? [{ domain: 'com.microsoft', version: 1n }] : []),
    ],
    ...(docString === undefined ? {} : { docString }),
    graph: {
      name,
      node: writer.nodeProtos(),
      initializer: writer.initializers,
      input: writer.inputs.map((tensor) => valueInfo(tensor.name!, tensor)),
      output: named.map(([outputName, tensor]) => valueInfo(outputName, tensor)),
    },
  });
  return toBinary(ModelProtoSchema, model);
};
