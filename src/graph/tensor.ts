/**
 * The symbolic tensor: one immutable node of the graph, tagged by the `kind` of operation that makes it. Plain data; what
 * a kind means (its gradient, its ONNX form) is in the registry.
 */
import { GraphError } from './errors.js';

/** Element types a symbolic tensor can have. */
export type DType = 'float32' | 'float64' | 'int64' | 'int32' | 'bool';

/** Size of one axis: known now (number) or only when the graph runs (a symbolic name such as `candidates`). */
export type Dim = number | string;

/** What an operation carries beside its inputs. */
export type AttributeValue = number | string | boolean | readonly Dim[];

/** One node of the graph: its value when run has this dtype and shape. */
export interface Tensor {
  /** Operation that makes it: a key of the registry, or `input`, `parameter`, `constant`, `part`. */
  readonly kind: string;
  /** Unique in this process, rising in order of creation; never reaches the emitted bytes. */
  readonly id: number;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  readonly inputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Name in the emitted graph: inputs and parameters only. */
  readonly name?: string;
}

let created = 0;

/** Makes a node. Ops call it after they have inferred the shape. */
export const makeNode = (
  kind: string,
  dtype: DType,
  shape: readonly Dim[],
  inputs: readonly Tensor[] = [],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  name?: string,
): Tensor => {
  created += 1;
  const node = { kind, id: created, dtype, shape: [...shape], inputs: [...inputs], attributes };
  return Object.freeze(name === undefined ? node : { ...node, name });
};

const wrongAttribute = (node: Tensor, name: string, expected: string): GraphError =>
  new GraphError('emit', `${node.kind}: attribute ${name} is not ${expected}`);

/** A numeric attribute of a node. */
export const numberAttribute = (node: Tensor, name: string): number => {
  const value = node.attributes[name];
  if (typeof value !== 'number') throw wrongAttribute(node, name, 'a number');
  return value;
};

/** A true-or-false attribute of a node. */
export const booleanAttribute = (node: Tensor, name: string): boolean => {
  const value = node.attributes[name];
  if (typeof value !== 'boolean') throw wrongAttribute(node, name, 'true or false');
  return value;
};

/** An attribute of a node that is a list of numbers. */
export const numbersAttribute = (node: Tensor, name: string): readonly number[] => {
  const value = node.attributes[name];
  if (!Array.isArray(value)) throw wrongAttribute(node, name, 'a list of numbers');
  return value as readonly number[];
};

/** Whether values of this dtype are real numbers, which alone have gradients. */
export const isFloating = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';
