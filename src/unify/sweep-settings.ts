/** Settings that a sweep tries. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Model } from '../config/project.js';
import type { UnifyPlan } from '../config/unify-plan.js';
import { hashText } from '../data/hash.js';

/** Draws until there are enough different ones; a small space has no more. */
const MOST_DRAWS = 1000;

/**
 * The settings of a sweep: first none (what is declared), then seeded draws of one value per option, without repeats.
 *
 * @param name stages that draw under the same name try the same settings
 * @returns `trials` of them, fewer where the space is smaller
 */
export const drawTrials = ({ trials, seed, settings }: UnifyPlan['sweep'], name: string): readonly Readonly<Record<string, unknown>>[] => {
  const generator = xoroshiro128plus(seed ^ hashText(name));
  const options = Object.entries(settings);
  const drawn: Readonly<Record<string, unknown>>[] = [{}];
  const seen = new Set<string>();
  for (let draw = 0; options.length > 0 && drawn.length < trials && draw < MOST_DRAWS; draw += 1) {
    const setting = Object.fromEntries(options.map(([path, values]) => [path, values[uniformInt(generator, 0, values.length - 1)]]));
    const text = JSON.stringify(setting);
    if (!seen.has(text)) drawn.push(setting);
    seen.add(text);
  }
  return drawn;
};

const withPath = (value: unknown, [key, ...rest]: readonly string[], set: unknown): unknown =>
  key === undefined ? set : { ...(value as object), [key]: withPath((value as Readonly<Record<string, unknown>>)[key], rest, set) };

/** A model with some options set, by their paths: `training.learningRate`. */
export const withSettings = (model: Model, settings: Readonly<Record<string, unknown>>): Model =>
  Object.entries(settings).reduce((changed, [path, value]) => withPath(changed, path.split('.'), value) as Model, model);

/** How many go into each rung of successive halving, and the part of the steps they are trained for. */
export const halvingRungs = (trials: number): readonly { readonly keep: number; readonly budget: number }[] => {
  const rungs = Math.max(0, Math.ceil(Math.log2(trials)));
  return Array.from({ length: rungs + 1 }, (_, rung) => ({ keep: Math.ceil(trials / 2 ** rung), budget: 2 ** (rung - rungs) }));
};
