/** The `unify` section: names that are there, and a model that works at every stage. */
import { checkModel } from './check-models.js';
import { checkTrainingTask } from './check-references.js';
import { checkSweep } from './check-sweep.js';
import type { ConfigParts } from './config-parts.js';
import { issueAt, joinPath, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import type { ModelConfig } from './project.js';
import { separateOptions, stageOptions } from './resolve-unify.js';
import { didYouMean, listNames } from './suggest.js';
import { MODEL_STAGES, type GateConfig, type ModelStage, type UnifyConfig } from './unify-plan.js';

const UNIFY = 'unify';

const unknown = (path: ConfigPath, what: 'surface' | 'task', name: string, known: readonly string[]): Issue =>
  issueAt(path, `unknown ${what} ${JSON.stringify(name)}`, `one of ${listNames(known)}`, didYouMean(name, known));

/** Each surface once, and first a group that there is something to unify in. */
const checkOrder = (order: UnifyConfig['order'], surfaces: readonly string[]): Issue[] => {
  if (order === undefined) return [];
  const path = [UNIFY, 'order'];
  const seen = new Set<string>();
  const issues = order.flatMap((group, index) =>
    group.flatMap((name, place): Issue[] => {
      const at = [...path, index, place];
      if (!surfaces.includes(name)) return [unknown(at, 'surface', name, surfaces)];
      if (seen.has(name)) return [issueAt(at, `surface ${JSON.stringify(name)} is listed twice`, 'each surface once', 'remove one of them')];
      seen.add(name);
      return [];
    }),
  );
  // A misspelt surface is also a missing one: once is enough.
  if (issues.length > 0) return issues;
  const missing = surfaces.filter((name) => !seen.has(name));
  if (missing.length > 0) {
    return [issueAt(path, `lacks ${listNames(missing).replace(' or ', ' and ')}`, 'each surface once', 'add it to a group, or as a group of its own at the end')];
  }
  if (order[0]!.length > 1) return [];
  return [issueAt([...path, 0], `has ${JSON.stringify(order[0]![0])} alone`, 'at least two surfaces in the first group: the first ones to unify', 'join it with the next group')];
};

const checkGate = (path: ConfigPath, { quality }: GateConfig, tasks: readonly string[]): Issue[] => {
  if (quality === undefined || quality === false || quality.tasks === undefined) return [];
  const at = [...path, 'quality', 'tasks'];
  if (quality.tasks.length === 0) return [issueAt(at, 'is empty', 'at least one task', 'name one, or set quality to false')];
  return quality.tasks.flatMap((task, index) => (tasks.includes(task) ? [] : [unknown([...at, index], 'task', task, tasks)]));
};

const checkGates = ({ gates }: UnifyConfig, tasks: readonly string[]): Issue[] => {
  if (gates === undefined) return [];
  const { stages = {}, ...all } = gates;
  const path = [UNIFY, 'gates'];
  return [...checkGate(path, all, tasks), ...Object.entries(stages).flatMap(([stage, gate]) => checkGate([...path, 'stages', stage], gate, tasks))];
};

/** The option that says how a stage's model differs from the one before. */
const OPTION_OF: Readonly<Record<ModelStage, keyof UnifyConfig>> = {
  baseline: 'baseline',
  'shared-learning': 'sharedLearning',
  efficiency: 'efficiency',
  'surface-aware': 'surfaceAware',
};

/** Issues of a model, and what tells them apart wherever the model is declared. */
interface LayerIssues {
  readonly issues: readonly Issue[];
  readonly keys: ReadonlySet<string>;
}

/**
 * Issues of layered options.
 *
 * @param under keys of the layers below: what is wrong there is reported there
 */
const checkLayer = (parts: ConfigParts, path: ConfigPath, model: ModelConfig, surfaces: readonly string[], under: ReadonlySet<string> = new Set()): LayerIssues => {
  const found = [...checkModel(parts, path, model, surfaces), ...checkTrainingTask([...path, 'training'], model.training, parts.names.tasks)];
  const keyed = found.map((issue) => ({ issue, key: `${issue.path.slice(joinPath(path).length)} ${issue.message}` }));
  return { issues: keyed.flatMap(({ issue, key }) => (under.has(key) ? [] : [issue])), keys: new Set([...under, ...keyed.map(({ key }) => key)]) };
};

/** Issues of the declared model that stages start from. */
const keysOf = (parts: ConfigParts, name: string): ReadonlySet<string> => {
  const model = parts.models[name];
  return model === undefined ? new Set() : checkLayer(parts, ['models', name], model, parts.names.surfaces).keys;
};

const checkModelStages = (parts: ConfigParts): Issue[] => {
  const issues: Issue[] = [];
  let under = keysOf(parts, 'unified');
  const stages = stageOptions(parts);
  for (const stage of MODEL_STAGES) {
    const found = checkLayer(parts, [UNIFY, OPTION_OF[stage]], { ...stages[stage], preset: 'unified' }, parts.names.surfaces, under);
    issues.push(...found.issues);
    under = found.keys;
  }
  return issues;
};

const checkSeparate = (parts: ConfigParts): Issue[] => {
  const { surfaces } = parts.names;
  const own = Object.keys(parts.unify.separate?.on ?? {}).filter((surface) => surfaces.includes(surface));
  const others = surfaces.filter((surface) => !own.includes(surface));
  const path = [UNIFY, 'separate'];
  const common = checkLayer(parts, path, { ...separateOptions(parts), preset: 'separate' }, others, keysOf(parts, 'separate'));
  return [...common.issues, ...own.flatMap((surface) => checkLayer(parts, [...path, 'on', surface], { ...separateOptions(parts, surface), preset: 'separate' }, [surface], common.keys).issues)];
};

/** Whether all that the stages' models are made of could be read. */
const areStagesSound = ({ names, models, features, unify }: ConfigParts): boolean => {
  const options: readonly (keyof UnifyConfig)[] = ['separate', ...Object.values(OPTION_OF)];
  return (
    names.features.every((name) => features[name] !== undefined) &&
    ['unified', 'separate'].every((name) => !names.models.includes(name) || models[name] !== undefined) &&
    options.every((option) => !names.unify.includes(option) || unify[option] !== undefined)
  );
};

/** Every issue of the `unify` section. */
export const checkUnify = (parts: ConfigParts): Issue[] => {
  const { unify, names } = parts;
  const issues = [
    ...Object.keys(unify.separate?.on ?? {}).flatMap((surface) => (names.surfaces.includes(surface) ? [] : [unknown([UNIFY, 'separate', 'on', surface], 'surface', surface, names.surfaces)])),
    ...checkOrder(unify.order, names.surfaces),
    ...checkGates(unify, names.tasks),
  ];
  if (!areStagesSound(parts)) return issues;
  const stages = [...checkModelStages(parts), ...checkSeparate(parts)];
  // What a sweep would break can be told only of models that work.
  return [...issues, ...stages, ...checkSweep(parts, stages.length === 0)];
};
