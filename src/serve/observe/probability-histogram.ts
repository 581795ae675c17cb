/** How many probabilities fell between which bounds, counted without allocating. */
import type { Histogram, Registry } from 'prom-client';

/** Upper bounds, four to a decade: 1e-4 … 1. */
export const PROBABILITY_BOUNDS: readonly number[] = [
  1e-4, 1.8e-4, 3.2e-4, 5.6e-4, 1e-3, 1.8e-3, 3.2e-3, 5.6e-3, 0.01, 0.018, 0.032, 0.056, 0.1, 0.18, 0.32, 0.56, 1,
];

const FIRST = PROBABILITY_BOUNDS[0]!;

/** Positive floats sort as their bits do; these are their sign, exponent and first three bits of the fraction. */
const SHIFT = 20;

const bitsOf = (value: number): number => new Int32Array(new Float32Array([value]).buffer)[0]!;

/** By the first bits of a float: the first bound that such a float can be under. From there it is at most a step or two. */
const START = ((): Uint8Array => {
  const start = new Uint8Array((bitsOf(1) >>> SHIFT) + 1);
  for (let prefix = 0; prefix < start.length; prefix += 1) {
    const least = new Float32Array(new Int32Array([prefix << SHIFT]).buffer)[0]!;
    start[prefix] = PROBABILITY_BOUNDS.findIndex((bound) => least <= bound);
  }
  return start;
})();

/** Counts of one series. The last bin is for what is no probability: it is above every bound, or not finite. */
export class ProbabilityBins {
  readonly counts = new Float64Array(PROBABILITY_BOUNDS.length + 1);
  /** Of the values that are finite. */
  sum = 0;
  count = 0;
  /** Values that were NaN or infinite; they are in none of the bins. */
  notFinite = 0;

  /** @returns sum and number of the values that are finite */
  add(values: Float32Array): { readonly sum: number; readonly count: number } {
    const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
    let sum = 0;
    let skipped = 0;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index]!;
      if (!(value > FIRST && value <= 1)) {
        if (Number.isFinite(value)) {
          this.counts[value <= FIRST ? 0 : PROBABILITY_BOUNDS.length]! += 1;
          sum += value;
        } else {
          skipped += 1;
        }
        continue;
      }
      let bin = START[bits[index]! >>> SHIFT]!;
      while (value > PROBABILITY_BOUNDS[bin]!) bin += 1;
      this.counts[bin]! += 1;
      sum += value;
    }
    const count = values.length - skipped;
    this.sum += sum;
    this.count += count;
    this.notFinite += skipped;
    return { sum, count };
  }
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly bins: ProbabilityBins;
}

export interface ProbabilityHistogramOptions {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
  /** What there is to print now. */
  readonly series: () => readonly Series[];
}

interface HistogramValue {
  readonly metricName: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

const valuesOf = (name: string, { labels, bins }: Series): readonly HistogramValue[] => {
  let cumulative = 0;
  const buckets = PROBABILITY_BOUNDS.map((le, index) => {
    cumulative += bins.counts[index]!;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: cumulative };
  });
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: bins.count },
    { metricName: `${name}_sum`, labels: { ...labels }, value: bins.sum },
    { metricName: `${name}_count`, labels: { ...labels }, value: bins.count },
  ];
};

/**
 * Registers a histogram that keeps its own counts: prom-client's takes one value at a time. A registry reads name, help, type and
 * values of a metric and nothing else.
 */
export const registerProbabilities = ({ registry, name, help, series }: ProbabilityHistogramOptions): void => {
  const get = (): Promise<unknown> => Promise.resolve({ name, help, type: 'histogram', values: series().flatMap((one) => valuesOf(name, one)) });
  registry.registerMetric({ name, help, get } as unknown as Histogram);
};
