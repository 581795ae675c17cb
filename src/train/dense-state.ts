import { Tensor } from 'onnxruntime-node';
import type { EmbeddingKernel } from '../kernels/embedding-kernel.js';
import type { ParameterSpec } from '../model/layout.js';
import { momentName } from './checkpoint-manifest.js';
import { ADAM, type DenseOptimizer } from './dense-optimizer.js';
import { initializeParameter } from './initialize-parameter.js';
import { arrayTensor, type WritableTensor } from './named-tensor.js';

interface Parameter {
  readonly spec: ParameterSpec;
  readonly values: Float32Array;
  /** A view on `values`, which ONNX Runtime reads where they are. */
  readonly tensor: Tensor;
  /** Adam's first and second moment; absent in an engine that only scores. */
  readonly moments: readonly [Float32Array, Float32Array] | undefined;
}

/** Gradient of each dense parameter, by its name. */
export type GradientOf = (parameter: string) => Float32Array;

/**
 * A model's dense parameters and, when it trains, their Adam moments. Each has one buffer for the whole run, which is fed
 * to ONNX Runtime without a copy and updated in place.
 */
export class DenseState {
  readonly #kernel: EmbeddingKernel;
  readonly #parameters: readonly Parameter[];
  readonly #trained: readonly Parameter[];
  readonly #byName: ReadonlyMap<string, Parameter>;

  /** @param trainable names of those that steps change. Default: all of them */
  constructor(kernel: EmbeddingKernel, specs: readonly ParameterSpec[], seed: number, training: boolean, trainable?: readonly string[]) {
    this.#kernel = kernel;
    this.#parameters = specs.map((spec) => {
      const values = initializeParameter(spec, seed);
      const moments = training ? ([new Float32Array(values.length), new Float32Array(values.length)] as const) : undefined;
      return { spec, values, tensor: new Tensor('float32', values, spec.shape), moments };
    });
    this.#trained = trainable === undefined ? this.#parameters : this.#parameters.filter(({ spec }) => trainable.includes(spec.name));
    this.#byName = new Map(this.#parameters.map((parameter) => [parameter.spec.name, parameter]));
  }

  /** Current value by the name of the graph input. */
  get(name: string): Tensor | undefined {
    return this.#byName.get(name)?.tensor;
  }

  /** Global norm of the gradients, summed in double; not finite where any gradient is not. */
  gradientNorm(gradientOf: GradientOf): number {
    return Math.sqrt(this.#trained.reduce((sum, { spec }) => sum + this.#kernel.squaredNorm(gradientOf(spec.name)), 0));
  }

  /**
   * One Adam step (Kingma & Ba 2015); AdamW decouples the decay (Loshchilov & Hutter 2019), Adam adds it to the gradient.
   * Gradients are scaled first so that their global norm is at most `clipNorm` (Pascanu et al. 2013; 0 leaves them).
   *
   * @param step optimizer steps taken, this one included
   */
  update(gradientOf: GradientOf, norm: number, optimizer: DenseOptimizer, learningRate: number, step: number): void {
    const { clipNorm, weightDecay } = optimizer;
    const gradientScale = clipNorm === 0 ? 1 : clipNorm / Math.max(norm, clipNorm);
    const corrections = { firstCorrection: 1 - ADAM.beta1 ** step, secondCorrection: 1 - ADAM.beta2 ** step };
    for (const { spec, values, moments } of this.#trained) {
      const [first, second] = moments!;
      this.#kernel.denseAdam(values, first, second, gradientOf(spec.name), {
        ...ADAM,
        ...corrections,
        learningRate,
        weightDecay: spec.decay ? weightDecay : 0,
        decoupled: optimizer.optimizer === 'adamw',
        gradientScale,
      });
    }
  }

  /** The parameters' buffers by name. */
  parameters(): ReadonlyMap<string, Float32Array> {
    return new Map(this.#parameters.map(({ spec, values }) => [spec.name, values]));
  }

  /** Parameters as a checkpoint stores them. */
  parameterTensors(): WritableTensor[] {
    return this.#parameters.map(({ spec, values }) => arrayTensor(spec.name, spec.shape, values));
  }

  /** Adam's moments as a checkpoint stores them; none in an engine that only scores. */
  momentTensors(): WritableTensor[] {
    return this.#parameters.flatMap(({ spec, moments }) =>
      (moments ?? []).map((values, index) => arrayTensor(momentName(index === 0 ? 'first' : 'second', spec.name), spec.shape, values)),
    );
  }
}
