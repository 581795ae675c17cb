/** Cuts a graph in two: what depends on requests alone, and what is computed per candidate. */
import { input } from '../graph/inputs.js';
import { makeNode, type Tensor } from '../graph/tensor.js';
import { topologicalOrder } from '../graph/traverse.js';
import type { RowSpace } from '../model/layout.js';

/** A tensor that the request half makes and the candidate half reads: rows of requests or of a sequence's tokens. */
export interface CutTensor {
  readonly name: string;
  readonly rows: Exclude<RowSpace, 'candidate'>;
  readonly width: number;
}

export interface SplitGraph {
  /** Outputs of the request half; empty where no candidate reads anything of its request. */
  readonly request: Readonly<Record<string, Tensor>>;
  /** Outputs of the candidate half: those of the whole graph. */
  readonly candidate: Readonly<Record<string, Tensor>>;
  readonly cut: readonly CutTensor[];
}

const isLeaf = (node: Tensor): boolean => node.kind === 'input' || node.kind === 'parameter' || node.kind === 'constant';

const isOfCandidates = (node: Tensor): boolean => node.kind === 'input' && node.shape.some((dim) => typeof dim === 'string' && dim.split('*').includes('candidates'));

/** The row space of a float32 matrix whose rows are those of a request or a token: such rows of several runs can be put under each other. */
const rowSpaceOf = ({ dtype, shape }: Tensor): CutTensor['rows'] | undefined => {
  const [rows, width] = shape;
  if (dtype !== 'float32' || shape.length !== 2 || typeof rows !== 'string' || typeof width !== 'number') return undefined;
  if (rows === 'requests') return 'request';
  return rows.startsWith('tokens:') && !rows.includes('*') ? (rows as `tokens:${string}`) : undefined;
};

/**
 * Splits a graph where request-level rows meet candidates. What lies between the last such rows and the candidates, and is
 * in no row space (rectangles of heads, whose shape depends on what a batch holds), is computed in the candidate half.
 *
 * @param outputs each depends on a candidate-side input
 */
export const splitRequests = (outputs: Readonly<Record<string, Tensor>>): SplitGraph => {
  const order = topologicalOrder(Object.values(outputs));
  const [perCandidate, fed] = [new Set<Tensor>(), new Set<Tensor>()];
  for (const node of order) {
    if (isOfCandidates(node) || node.inputs.some((one) => perCandidate.has(one))) perCandidate.add(node);
    if (node.kind === 'input' || node.inputs.some((one) => fed.has(one))) fed.add(node);
  }
  const request: Record<string, Tensor> = {};
  const cut: CutTensor[] = [];
  const rebuilt = new Map<Tensor, Tensor>();
  /** The node as the candidate half has it. */
  const rebuild = (node: Tensor): Tensor => {
    const known = rebuilt.get(node);
    if (known !== undefined) return known;
    const made = make(node);
    rebuilt.set(node, made);
    return made;
  };
  const make = (node: Tensor): Tensor => {
    if (isLeaf(node) || !fed.has(node)) return node;
    const rows = perCandidate.has(node) ? undefined : rowSpaceOf(node);
    if (rows !== undefined) {
      const name = `cut.${cut.length}`;
      cut.push({ name, rows, width: node.shape[1] as number });
      request[name] = node;
      return input(name, node.dtype, node.shape);
    }
    return makeNode(node.kind, node.dtype, node.shape, node.inputs.map(rebuild), node.attributes, node.name);
  };
  const candidate = Object.fromEntries(Object.entries(outputs).map(([name, node]) => [name, rebuild(node)]));
  return { request, candidate, cut };
};
