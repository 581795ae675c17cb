/** Dense layers in 8-bit integers: a rewrite of an exported graph with standard operators alone. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType, AttributeProtoSchema, ModelProtoSchema, NodeProtoSchema, TensorProto_DataType, TensorProtoSchema, type NodeProto, type TensorProto } from '../graph/onnx/onnx_pb.js';

/** Weights with fewer inputs or outputs than this stay as they are: rounding their inputs takes longer than they do. */
const SMALLEST = 32;

/**
 * Largest code of a weight. Processors without 8-bit dot products add pairs of products in 16 bits: above 64 these could
 * overflow, and predictions would depend on the machine.
 */
const LARGEST_CODE = 63;

interface QuantizedWeights {
  readonly codes: TensorProto;
  readonly scales: TensorProto;
}

const tensor = (name: string, dataType: TensorProto_DataType, dims: readonly number[], data: Int8Array | Float32Array): TensorProto =>
  create(TensorProtoSchema, { name, dims: dims.map(BigInt), dataType, rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) });

/** Weights `[inputs, outputs]` as `code · scale of the output`, codes −63 to 63. */
const quantizeWeights = ({ name, rawData }: TensorProto, inputs: number, outputs: number): QuantizedWeights => {
  // A copy: parsed bytes may start anywhere in their buffer.
  const weights = new Float32Array(new Uint8Array(rawData).buffer);
  const scales = new Float32Array(outputs);
  weights.forEach((weight, at) => {
    scales[at % outputs] = Math.max(scales[at % outputs]!, Math.abs(weight));
  });
  for (let output = 0; output < outputs; output += 1) scales[output] = scales[output]! / LARGEST_CODE;
  const codes = Int8Array.from(weights, (weight, at) => (scales[at % outputs] === 0 ? 0 : Math.max(-LARGEST_CODE, Math.min(LARGEST_CODE, Math.round(weight / scales[at % outputs]!)))));
  return {
    codes: tensor(`codes.${name}`, TensorProto_DataType.INT8, [inputs, outputs], codes),
    scales: tensor(`scales.${name}`, TensorProto_DataType.FLOAT, [outputs], scales),
  };
};

const node = (opType: string, input: readonly string[], output: readonly string[]): NodeProto => create(NodeProtoSchema, { opType, input: [...input], output: [...output], name: output[0]! });

const castToFloat = (input: string, output: string): NodeProto => {
  const to = create(AttributeProtoSchema, { name: 'to', type: AttributeProto_AttributeType.INT, i: BigInt(TensorProto_DataType.FLOAT) });
  return create(NodeProtoSchema, { opType: 'Cast', input: [input], output: [output], name: output, attribute: [to] });
};

/** Weights of a product that can be quantized; undefined for every other node. */
const weightsOf = ({ opType, input }: NodeProto, initializers: ReadonlyMap<string, TensorProto>): TensorProto | undefined => {
  const weights = opType === 'MatMul' && !initializers.has(input[0]!) ? initializers.get(input[1]!) : undefined;
  if (weights?.dataType !== TensorProto_DataType.FLOAT || weights.dims.length !== 2 || weights.rawData.length === 0) return undefined;
  return weights.dims.every((dim) => dim >= SMALLEST) ? weights : undefined;
};

/**
 * Makes products with constant weights `DynamicQuantizeLinear` and `MatMulInteger`: weights are symmetric per output, what
 * they are multiplied by is rounded to 256 levels between its extremes, in each call.
 *
 * @param model bytes of an ONNX model
 * @returns undefined where no product is large enough
 */
export const quantizeDense = (model: Uint8Array): Uint8Array | undefined => {
  const parsed = fromBinary(ModelProtoSchema, model);
  const graph = parsed.graph!;
  const initializers = new Map(graph.initializer.map((one) => [one.name, one]));
  const quantized = new Map<string, QuantizedWeights>();
  const rounded = new Set<string>();
  const nodes = graph.node.flatMap((own): NodeProto[] => {
    const weights = weightsOf(own, initializers);
    if (weights === undefined) return [own];
    const [x, y] = [own.input[0]!, own.output[0]!];
    const found = quantized.get(weights.name) ?? quantizeWeights(weights, Number(weights.dims[0]), Number(weights.dims[1]));
    quantized.set(weights.name, found);
    const [codes, scale, zero] = [`${x}.codes`, `${x}.scale`, `${x}.zero`];
    const round = rounded.has(x) ? [] : [node('DynamicQuantizeLinear', [x], [codes, scale, zero])];
    rounded.add(x);
    return [
      ...round,
      node('MatMulInteger', [codes, found.codes.name, zero], [`${y}.integer`]),
      castToFloat(`${y}.integer`, `${y}.float`),
      node('Mul', [scale, found.scales.name], [`${y}.scale`]),
      node('Mul', [`${y}.float`, `${y}.scale`], [y]),
    ];
  });
  if (quantized.size === 0) return undefined;
  graph.node = nodes;
  // Weights that a product was not the only reader of stay beside their codes.
  const read = new Set(nodes.flatMap(({ input }) => input));
  graph.initializer = [...graph.initializer.filter(({ name }) => read.has(name)), ...[...quantized.values()].flatMap(({ codes, scales }) => [codes, scales])];
  return toBinary(ModelProtoSchema, parsed);
};
