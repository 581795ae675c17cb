import { Tensor } from 'onnxruntime-node';
import type { ParameterSpec } from '../model/layout.js';
import { momentName } from './checkpoint-manifest.js';
import { initializeParameter } from './initialize-parameter.js';
import type { NamedTensor } from './safetensors.js';
import { updatedName } from './step-graph.js';

const float32 = (data: Float32Array, shape: readonly number[]): Tensor => new Tensor('float32', data, shape);

/** A model's dense parameters and, when it trains, their Adam moments. */
export class DenseState {
  readonly #specs: readonly ParameterSpec[];
  readonly #tensors = new Map<string, Tensor>();
  readonly #training: boolean;

  constructor(specs: readonly ParameterSpec[], seed: number, training: boolean) {
    this.#specs = specs;
    this.#training = training;
    for (const spec of specs) {
      const values = initializeParameter(spec, seed);
      this.#tensors.set(spec.name, float32(values, spec.shape));
      if (!training) continue;
      for (const moment of ['first', 'second'] as const) this.#tensors.set(momentName(moment, spec.name), float32(new Float32Array(values.length), spec.shape));
    }
  }

  /** Current value by the name of the graph input. */
  get(name: string): Tensor | undefined {
    return this.#tensors.get(name);
  }

  /** Takes the new values of a train step; ONNX Runtime hands them over in memory of their own. */
  adopt(outputs: Readonly<Record<string, Tensor>>): void {
    for (const name of this.#tensors.keys()) this.#tensors.set(name, outputs[updatedName(name)]!);
  }

  parameters(): ReadonlyMap<string, Float32Array> {
    return new Map(this.#specs.map(({ name }) => [name, this.#tensors.get(name)!.data as Float32Array]));
  }

  /** Parameters as a checkpoint stores them. */
  parameterTensors(): NamedTensor[] {
    return this.#specs.map((spec) => this.#named(spec.name, spec.shape));
  }

  /** Adam's moments as a checkpoint stores them; none in an engine that only scores. */
  momentTensors(): NamedTensor[] {
    if (!this.#training) return [];
    return this.#specs.flatMap((spec) => (['first', 'second'] as const).map((moment) => this.#named(momentName(moment, spec.name), spec.shape)));
  }

  #named(name: string, shape: readonly number[]): NamedTensor {
    return { name, shape, data: this.#tensors.get(name)!.data as Float32Array };
  }
}
