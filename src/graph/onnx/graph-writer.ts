/** Collects the nodes, constants, inputs and initializers of one ONNX graph while ops emit themselves. */
import { create } from '@bufbuild/protobuf';
import type { Emitter, NodeAttribute, NodeAttributes } from '../definition.js';
import { GraphError } from '../errors.js';
import { parameter } from '../inputs.js';
import { describeTensor, sameShape } from '../shapes.js';
import { numberAttribute } from '../tensor.js';
import type { DType, Tensor } from '../tensor.js';
import { ONNX_DTYPE } from './dtypes.js';
import { constantProto, initializerProto } from './initializer.js';
import type { Initializer } from './initializer.js';
import { AttributeProto_AttributeType, AttributeProtoSchema, NodeProtoSchema } from './onnx_pb.js';
import type { AttributeProto, NodeProto, TensorProto } from './onnx_pb.js';

interface PlannedNode {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: NodeAttributes;
}

/** Numbers as text, apart where JSON would merge them: −0, infinities and NaN. */
const exactText = (value: unknown): unknown =>
  typeof value === 'number' && (Object.is(value, -0) || !Number.isFinite(value)) ? (value === 0 ? '-0' : String(value)) : value;

const structuralKey = (...content: unknown[]): string => JSON.stringify(content, (_, value: unknown) => exactText(value));

const attributeProto = (name: string, attribute: NodeAttribute): AttributeProto => {
  const proto = create(AttributeProtoSchema, { name });
  if ('int' in attribute) Object.assign(proto, { type: AttributeProto_AttributeType.INT, i: BigInt(attribute.int) });
  else if ('float' in attribute) Object.assign(proto, { type: AttributeProto_AttributeType.FLOAT, f: attribute.float });
  else if ('text' in attribute) {
    Object.assign(proto, { type: AttributeProto_AttributeType.STRING, s: new TextEncoder().encode(attribute.text) });
  } else if ('ints' in attribute) {
    Object.assign(proto, { type: AttributeProto_AttributeType.INTS, ints: attribute.ints.map((value) => BigInt(value)) });
  } else {
    const t = constantProto(undefined, [attribute.value], attribute.dtype, [1]);
    Object.assign(proto, { type: AttributeProto_AttributeType.TENSOR, t });
  }
  return proto;
};

/** One ONNX graph in the making. Names depend on the order of emission alone. */
export class GraphWriter implements Emitter {
  readonly allowContrib: boolean;
  readonly inputs: Tensor[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly planned: PlannedNode[] = [];
  private readonly outputsByKey = new Map<string, readonly string[]>();
  private readonly constants = new Map<string, string>();
  private readonly values = new Map<Tensor, string | readonly string[]>();
  private readonly leaves = new Map<string, Tensor>();
  /** How to widen what is stored in fewer bits. */
  private readonly decoders = new Map<string, (rows: string, lookUp: (rows: string) => string) => string>();
  private readonly produced = new Set<string>();
  private readonly renamed = new Map<string, string>();

  constructor(
    private readonly options: {
      readonly allowContrib: boolean;
      readonly outputNames: ReadonlySet<string>;
      readonly parameters: ReadonlyMap<string, Initializer>;
      readonly usedParts: ReadonlyMap<Tensor, ReadonlySet<number>>;
    },
  ) {
    this.allowContrib = options.allowContrib;
  }

  /** Reserves the name of an input or parameter; it becomes one or the other. */
  addLeaf(leaf: Tensor): void {
    const name = leaf.name!;
    this.values.set(leaf, name);
    const known = this.leaves.get(name);
    if (known !== undefined) {
      if (known.kind === leaf.kind && known.dtype === leaf.dtype && sameShape(known.shape, leaf.shape)) return;
      throw new GraphError(
        'name',
        `two different tensors are called ${name}: ${known.kind} ${describeTensor(known)} and ${leaf.kind} ${describeTensor(leaf)}`,
      );
    }
    if (this.options.outputNames.has(name)) throw new GraphError('name', `${name} is the name of a graph ${leaf.kind} and of an output`);
    this.leaves.set(name, leaf);
    const initializer = leaf.kind === 'parameter' ? this.options.parameters.get(name) : undefined;
    if (initializer === undefined) {
      this.inputs.push(leaf);
      return;
    }
    this.initializers.push(initializerProto(leaf, initializer));
    if (initializer.dtype === 'float16') this.decoders.set(name, (rows) => this.cast(rows, leaf.dtype));
    if (initializer.scales !== undefined) this.addScales(leaf, initializer.scales);
  }

  /** Bytes are decoded row by row: each row has a scale and a lowest value. */
  private addScales(leaf: Tensor, scales: Initializer): void {
    const own = parameter(`scales.${leaf.name!}`, [leaf.shape[0] as number, 2]);
    if (this.leaves.has(own.name!)) throw new GraphError('name', `two different tensors are called ${own.name!}`);
    this.leaves.set(own.name!, own);
    this.initializers.push(initializerProto(own, scales));
    this.decoders.set(leaf.name!, (rows, lookUp) => {
      const [scale, lowest] = this.nodes('Split', [lookUp(own.name!), this.int64([1, 1])], [true, true], { axis: { int: -1 } });
      return this.node('Add', [this.node('Mul', [this.cast(rows, leaf.dtype), scale!]), lowest!]);
    });
  }

  private cast(value: string, dtype: DType): string {
    return this.node('Cast', [value], { to: { int: ONNX_DTYPE[dtype] } });
  }

  /** Records what a node emitted itself as. */
  setValue(tensor: Tensor, value: string | readonly string[]): void {
    this.values.set(tensor, value);
  }

  value(tensor: Tensor): string {
    return this.storedRows(tensor, (rows) => rows);
  }

  storedRows(tensor: Tensor, lookUp: (rows: string) => string): string {
    const owner = tensor.kind === 'part' ? tensor.inputs[0]! : tensor;
    const emitted = this.values.get(owner);
    const value = typeof emitted === 'string' ? emitted : emitted?.[numberAttribute(tensor, 'index')];
    if (value === undefined || value === '') throw new GraphError('emit', `${describeTensor(tensor)} of ${tensor.kind} is not emitted yet`);
    const found = lookUp(value);
    return this.decoders.get(value)?.(found, lookUp) ?? found;
  }

  constant(values: readonly number[], dtype: DType, shape: readonly number[]): string {
    const key = structuralKey(dtype, shape, values);
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.freshName('Constant', this.constants.size);
    this.constants.set(key, name);
    this.initializers.push(constantProto(name, values, dtype, shape));
    return name;
  }

  int64(values: readonly number[]): string {
    return this.constant(values, 'int64', [values.length]);
  }

  node(opType: string, inputs: readonly string[], attributes: NodeAttributes = {}, domain = ''): string {
    return this.plan(opType, inputs, [true], attributes, domain)[0]!;
  }

  nodes(
    opType: string,
    inputs: readonly string[],
    wanted: readonly boolean[],
    attributes: NodeAttributes = {},
  ): readonly string[] {
    return this.plan(opType, inputs, wanted, attributes, '');
  }

  usesPart(owner: Tensor, index: number): boolean {
    return this.options.usedParts.get(owner)?.has(index) ?? false;
  }

  /** Gives a value the name of a graph output; what is no node's own result, or has a name already, is copied. */
  nameOutput(name: string, tensor: Tensor): void {
    const value = this.value(tensor);
    if (this.produced.has(value) && !this.renamed.has(value)) {
      this.renamed.set(value, name);
    } else {
      this.planned.push({ opType: 'Identity', domain: '', inputs: [value], outputs: [name], attributes: {} });
    }
  }

  /** Whether a node of this domain was emitted. */
  usesDomain(domain: string): boolean {
    return this.planned.some((node) => node.domain === domain);
  }

  /** All nodes in the order of emission, which is an order of execution. */
  nodeProtos(): NodeProto[] {
    const finalName = (value: string): string => this.renamed.get(value) ?? value;
    return this.planned.map((node) =>
      create(NodeProtoSchema, {
        input: node.inputs.map(finalName),
        output: node.outputs.map(finalName),
        name: node.outputs[0]!,
        opType: node.opType,
        domain: node.domain,
        attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeProto(name, attribute)),
      }),
    );
  }

  private plan(
    opType: string,
    inputs: readonly string[],
    wanted: readonly boolean[],
    attributes: NodeAttributes,
    domain: string,
  ): readonly string[] {
    // Names need no exact numbers: the plain form takes half the time or less.
    const names = JSON.stringify([opType, domain, inputs, wanted]);
    const key = Object.keys(attributes).length === 0 ? names : names + structuralKey(attributes);
    const known = this.outputsByKey.get(key);
    if (known !== undefined) return known;
    const base = this.freshName(opType, this.planned.length);
    const outputs = wanted.map((use, index) => (use ? (index === 0 ? base : `${base}.${index}`) : ''));
    for (const output of outputs) if (output !== '') this.produced.add(output);
    this.planned.push({ opType, domain, inputs, outputs, attributes });
    this.outputsByKey.set(key, outputs);
    return outputs;
  }

  private freshName(opType: string, position: number): string {
    let name = `${opType}_${position}`;
    while (this.leaves.has(name) || this.options.outputNames.has(name)) name = `_${name}`;
    return name;
  }
}
