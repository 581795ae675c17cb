import type { Dim, Tensor } from '../graph/tensor.js';
import { input, parameter } from '../graph/inputs.js';
import { mul } from '../graph/ops/mul.js';
import type { DropoutInput, ParameterSpec, RowSpace } from './layout.js';

/** A layer: takes features `[rows, width]`, gives features of another width. Its parameters live under the scope's name. */
export type Module = (scope: Scope, x: Tensor) => Tensor;

/** What a graph under construction has asked for so far. */
interface Collected {
  readonly parameters: Map<string, { readonly spec: ParameterSpec; readonly tensor: Tensor }>;
  readonly dropout: DropoutInput[];
}

/**
 * Names the parameters of nested modules (`tower.search.dense0.weight`) and collects them. In a serving scope dropout is
 * the identity, so the graph has no mask inputs.
 */
export class Scope {
  private constructor(
    private readonly path: string,
    private readonly collected: Collected,
    readonly serving: boolean,
  ) {}

  static root(options: { readonly serving: boolean }): Scope {
    return new Scope('', { parameters: new Map(), dropout: [] }, options.serving);
  }

  child(name: string): Scope {
    return new Scope(this.qualify(name), this.collected, this.serving);
  }

  /** A dense parameter of this scope. Throws when the name is taken: two layers would silently share weights. */
  parameter(name: string, shape: readonly number[], initializer: ParameterSpec['initializer'], options: { readonly decay: boolean }): Tensor {
    const full = this.qualify(name);
    if (this.collected.parameters.has(full)) throw new Error(`parameter ${full} is declared twice; give each layer its own child scope`);
    const tensor = parameter(full, shape);
    this.collected.parameters.set(full, { spec: { name: full, shape, initializer, decay: options.decay }, tensor });
    return tensor;
  }

  /** Inverted dropout (Srivastava et al. 2014): the mask is a graph input that the engine draws from the step's seed. */
  dropout(x: Tensor, rate: number, rows: RowSpace): Tensor {
    if (this.serving || rate === 0) return x;
    const name = `dropout.${this.collected.dropout.length}`;
    const width = featureWidth(x);
    this.collected.dropout.push({ name, width, rate, rows });
    return mul(x, input(name, 'float32', x.shape));
  }

  get parameters(): readonly { readonly spec: ParameterSpec; readonly tensor: Tensor }[] {
    return [...this.collected.parameters.values()];
  }

  get dropoutInputs(): readonly DropoutInput[] {
    return this.collected.dropout;
  }

  private qualify(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

/** Width of features `[rows, width]`. */
export const featureWidth = (x: Tensor): number => {
  const width: Dim | undefined = x.shape.at(-1);
  if (typeof width !== 'number') throw new Error(`expected features with a known width, got shape [${x.shape.join(', ')}]`);
  return width;
};
