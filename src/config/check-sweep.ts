/** What a sweep tries must be options that a model has, with values that are valid there. */
import { checkModel } from './check-models.js';
import type { ConfigParts } from './config-parts.js';
import { issueAt, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import type { ModelConfig } from './project.js';
import { separateOptions, stageOptions } from './resolve-unify.js';
import { schemaIssues } from './schema-issues.js';
import { modelOptionsSchema } from './schema.js';
import { didYouMean } from './suggest.js';
import { moduleOf, SWEEP_PATHS, withOption } from './sweep-options.js';

const PATH: ConfigPath = ['unify', 'sweep', 'settings'];

/** One value of an option. */
interface Setting {
  readonly path: string;
  readonly index: number;
  readonly value: unknown;
}

interface SweptModel {
  readonly model: ModelConfig;
  readonly surfaces: readonly string[];
}

/** The models that are swept, as declared. */
const sweptModels = (parts: ConfigParts): readonly SweptModel[] => {
  const stages = stageOptions(parts);
  const { surfaces } = parts.names;
  return [
    ...surfaces.map((surface) => ({ model: { ...separateOptions(parts, surface), preset: 'separate' as const }, surfaces: [surface] })),
    ...(parts.unify.sweep?.stages ?? ['baseline']).map((stage) => ({ model: { ...stages[stage], preset: 'unified' as const }, surfaces })),
  ];
};

const checkPath = (models: readonly SweptModel[], path: string): Issue[] => {
  const module = moduleOf(path);
  if (SWEEP_PATHS.includes(path)) {
    if (module === undefined || models.some(({ model }) => model[module] !== undefined)) return [];
    return [issueAt([...PATH, path], `no model that is swept has ${module}`, 'an option of a model that is swept', `add a stage that has ${module} to unify.sweep.stages, or remove it`)];
  }
  return [issueAt([...PATH, path], `${JSON.stringify(path)} is no option that a sweep can set`, "the path of a model's option, such as \"training.learningRate\"", didYouMean(path, SWEEP_PATHS))];
};

const checkValue = ({ path, index, value }: Setting): Issue[] => {
  const at = [...PATH, path, index];
  if (value === undefined) return [issueAt(at, 'is missing', 'a value', 'remove it, or give a value')];
  const options = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  const parsed = modelOptionsSchema.safeParse(options);
  if (parsed.success) return [];
  return schemaIssues(parsed.error, options).map(({ keys, message, expected }) => issueAt([...at, ...keys.slice(path.split('.').length)], message, expected, `use ${expected}`));
};

/** Values that break a model, alone or beside another's: all rules between options are between two. */
const checkPairs = (parts: ConfigParts, models: readonly SweptModel[], settings: readonly Setting[]): Issue[] => {
  const broken = (first: Setting, second: Setting): Issue | undefined =>
    models.flatMap(({ model, surfaces }) => {
      const changed = withOption(withOption(model, second.path, second.value), first.path, first.value);
      // Separate models try what unified ones do: what only those have is nothing to them.
      return checkModel(parts, [], { ...changed, preset: model.preset, lateFusion: model.preset === 'unified' && changed.lateFusion === true }, surfaces);
    })[0];
  return settings.flatMap((setting, place) => {
    for (const other of [setting, ...settings.slice(0, place).filter(({ path }) => path !== setting.path)]) {
      const issue = broken(setting, other);
      if (issue === undefined) continue;
      const beside = other === setting ? '' : ` where ${other.path} is ${JSON.stringify(other.value)}`;
      return [issueAt([...PATH, setting.path, setting.index], `gives a model that cannot be${beside}: ${issue.path} ${issue.message}`, issue.expected, `${issue.fix}, or remove the value`)];
    }
    return [];
  });
};

/**
 * Every issue of the settings that a sweep tries.
 *
 * @param areModelsValid whether the declared models are: only then can a setting be told to break one
 */
export const checkSweep = (parts: ConfigParts, areModelsValid: boolean): Issue[] => {
  const declared = Object.entries(parts.unify.sweep?.settings ?? {});
  const models = sweptModels(parts);
  const known = declared.filter(([path]) => SWEEP_PATHS.includes(path)).flatMap(([path, values]) => values.map((value, index): Setting => ({ path, index, value })));
  const issues = [...declared.flatMap(([path]) => checkPath(models, path)), ...known.flatMap(checkValue)];
  return issues.length > 0 || !areModelsValid ? issues : checkPairs(parts, models, known);
};
