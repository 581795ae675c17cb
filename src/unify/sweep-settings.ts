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

/** What an option is called in a resolved model, where that is not its path in a config. */
const RESOLVED: Readonly<Record<string, string>> = { 'embedding.width': 'embeddingWidth' };

/** Options whose default is made of another's: one that stands at its default follows. */
const DERIVED: readonly { readonly path: string; readonly from: string; readonly derive: (value: unknown) => unknown }[] = [
  { path: 'transformer.dropout', from: 'dropout', derive: (dropout) => dropout },
  { path: 'transformer.feedForward', from: 'transformer.width', derive: (width) => 2 * (width as number) },
];

const partsOf = (path: string): readonly [first: keyof Model, second: string | undefined] => (RESOLVED[path] ?? path).split('.') as [keyof Model, string | undefined];

const optionOf = (model: Model, path: string): unknown => {
  const [first, second] = partsOf(path);
  return second === undefined ? model[first] : (model[first] as Readonly<Record<string, unknown>> | undefined)?.[second];
};

/** A module that the model lacks has no options. */
const withOption = (model: Model, path: string, value: unknown): Model => {
  const [first, second] = partsOf(path);
  if (second === undefined) return { ...model, [first]: value };
  const section = model[first] as object | undefined;
  return section === undefined ? model : { ...model, [first]: { ...section, [second]: value } };
};

/** A model with some options set, by their paths in a config: `training.learningRate`. Those of modules that it lacks are not its. */
export const withSettings = (model: Model, settings: Readonly<Record<string, unknown>>): Model => {
  const following = DERIVED.filter(({ path, from, derive }) => from in settings && optionOf(model, path) === derive(optionOf(model, from))).map(({ path, from, derive }): [string, unknown] => [path, derive(settings[from])]);
  return [...following, ...Object.entries(settings)].reduce((changed, [path, value]) => withOption(changed, path, value), model);
};

/** How many go into each rung of successive halving, and the part of the steps they are trained for. */
export const halvingRungs = (trials: number): readonly { readonly keep: number; readonly budget: number }[] => {
  const rungs = Math.max(0, Math.ceil(Math.log2(trials)));
  return Array.from({ length: rungs + 1 }, (_, rung) => ({ keep: Math.ceil(trials / 2 ** rung), budget: 2 ** (rung - rungs) }));
};
