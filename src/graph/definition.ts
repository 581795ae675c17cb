/** What an op file declares, and what it can use to emit itself. */
import type { DType, Tensor } from './tensor.js';

/** An attribute of an emitted ONNX node. */
export type NodeAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  /** A one-element tensor, as `ConstantOfShape` wants it. */
  | { readonly value: number; readonly dtype: DType };

/** Attributes by name. */
export type NodeAttributes = Readonly<Record<string, NodeAttribute>>;

/** Where an op writes its ONNX nodes. Equal nodes are merged: emitting one twice gives the same value. */
export interface Emitter {
  /** Contrib ops of ONNX Runtime (domain `com.microsoft`) may be used. */
  readonly allowContrib: boolean;
  /** Value of an input of the op that is being emitted. */
  value(tensor: Tensor): string;
  /**
   * Like `value`, but a parameter stored in fewer bits is left as stored: `lookUp` finds the wanted rows of each stored value,
   * and the result is decoded to the tensor's dtype.
   */
  storedRows(tensor: Tensor, lookUp: (rows: string) => string): string;
  /** A constant; equal ones are shared. */
  constant(values: readonly number[], dtype: DType, shape: readonly number[]): string;
  /** A 1-D int64 constant: axes, pads, sizes. */
  int64(values: readonly number[]): string;
  /** Emits a node with one output and gives its value. */
  node(opType: string, inputs: readonly string[], attributes?: NodeAttributes, domain?: string): string;
  /** Emits a node with several outputs; those not `wanted` are left out and have value ''. */
  nodes(opType: string, inputs: readonly string[], wanted: readonly boolean[], attributes?: NodeAttributes): readonly string[];
  /** For an op of several parts: which of them something uses. */
  usesPart(owner: Tensor, index: number): boolean;
}

/** One kind of node: how it differentiates and how it is written. */
export interface OpDefinition {
  readonly kind: string;
  /**
   * Gradient of the scalar output for each input, given that for this node; undefined where none flows. Shapes equal the
   * inputs'. Ops without it stop the gradient.
   */
  readonly gradient?: (node: Tensor, outputGradient: Tensor) => readonly (Tensor | undefined)[];
  /** The same for an op of several parts: one gradient a part, undefined for parts that do not reach the output. */
  readonly partsGradient?: (node: Tensor, partGradients: readonly (Tensor | undefined)[]) => readonly (Tensor | undefined)[];
  /** Inputs that `emit` reads where not all: the others serve the gradient and are not part of a forward graph. */
  readonly reads?: (node: Tensor) => readonly Tensor[];
  /** Writes the node; gives its value, or one value a part. */
  readonly emit: (node: Tensor, emitter: Emitter) => string | readonly string[];
}
