/** A model's modules must fit each other and the features they read. */
import { isOn, type ConfigParts } from './config-parts.js';
import { issueAt, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import type { ModelConfig, TransformerConfig } from './project.js';
import { didYouMean, listNames } from './suggest.js';

const DEFAULT_WIDTH = 64;
const DEFAULT_HEADS = 2;

/** Whether every feature could be read: what the others are not is known only then. */
const areFeaturesSound = ({ names, features }: ConfigParts): boolean => names.features.every((name) => features[name] !== undefined);

const checkTransformer = (parts: ConfigParts, path: ConfigPath, transformer: TransformerConfig, read: readonly string[] | undefined): Issue[] => {
  const issues: Issue[] = [];
  const { width = DEFAULT_WIDTH, heads = DEFAULT_HEADS, positions, sequences } = transformer;
  if (width % heads !== 0) {
    issues.push(issueAt([...path, 'heads'], `${heads} heads do not divide a width of ${width}`, `a divisor of ${width}`, 'change heads or width'));
  }
  const declared = Object.entries(parts.features).flatMap(([name, feature]) => (feature.kind === 'sequence' ? [name] : []));
  const known = declared.filter((name) => read?.includes(name) !== false);
  const isSound = areFeaturesSound(parts);
  if (isSound && known.length === 0) {
    const isLeftOut = declared.length > 0;
    issues.push(
      issueAt(
        path,
        isLeftOut ? 'the features that the model reads have no sequence' : 'there is no sequence to read',
        isLeftOut ? `${listNames(declared)} among features` : "a feature with kind 'sequence'",
        `${isLeftOut ? 'add it there' : 'declare one'}, or remove transformer`,
      ),
    );
    return issues;
  }
  (sequences ?? []).forEach((name, index) => {
    if (!isSound || known.includes(name)) return;
    issues.push(issueAt([...path, 'sequences', index], `${JSON.stringify(name)} is not a sequence${declared.includes(name) ? ' that the model reads' : ''}`, `one of ${listNames(known)}`, didYouMean(name, known)));
  });
  if (sequences?.length === 0) issues.push(issueAt([...path, 'sequences'], 'is empty', 'at least one sequence', 'name one, or remove transformer'));
  if (positions === 'time') {
    for (const name of sequences ?? known) {
      const feature = parts.features[name];
      if (feature?.kind !== 'sequence' || Object.values(feature.fields).some((field) => field.kind === 'time_gap')) continue;
      issues.push(
        issueAt([...path, 'positions'], `sequence ${JSON.stringify(name)} has no time gap to know places by`, "a field with kind 'time_gap'", `add one to features.${name}.fields, or use positions: 'learned'`),
      );
    }
  }
  return issues;
};

/** The features that a model is limited to: each must be there, and each surface needs one of them. */
const checkRead = (parts: ConfigParts, path: ConfigPath, read: readonly string[], surfaces: readonly string[]): Issue[] => {
  const known = parts.names.features;
  const issues = read.flatMap((name, index): Issue[] => {
    const at = [...path, index];
    if (!known.includes(name)) return [issueAt(at, `unknown feature ${JSON.stringify(name)}`, `one of ${listNames(known)}`, didYouMean(name, known))];
    return read.indexOf(name) < index ? [issueAt(at, `feature ${JSON.stringify(name)} is listed twice`, 'each feature once', 'remove one of them')] : [];
  });
  if (issues.length > 0 || !areFeaturesSound(parts)) return issues;
  const bare = surfaces.filter((surface) => !read.some((name) => isOn(parts.features[name]!, surface)));
  if (bare.length === 0) return [];
  const which = listNames(bare).replace(' or ', ' and ');
  return [issueAt(path, `none of them is on ${which}`, 'at least one feature of every surface', `add a feature that ${which} ${bare.length === 1 ? 'has' : 'have'}`)];
};

/**
 * Every issue of one model's own options.
 *
 * @param surfaces that it is for
 */
export const checkModel = (parts: ConfigParts, path: ConfigPath, model: ModelConfig, surfaces: readonly string[] = parts.names.surfaces): Issue[] => {
  const { features, transformer, projection, experts, lateFusion, preset } = model;
  const issues = features === undefined ? [] : checkRead(parts, [...path, 'features'], features, surfaces);
  // A feature that is not there is one mistake, not also one of the modules that read it.
  if (issues.length > 0) return issues;
  if (transformer !== undefined) issues.push(...checkTransformer(parts, [...path, 'transformer'], transformer, features));
  if (projection !== undefined && transformer === undefined) {
    issues.push(issueAt([...path, 'projection'], 'there is nothing to project', 'a model with a transformer', 'add transformer, or remove projection'));
  }
  if ((projection?.experts ?? 1) > 1 && projection?.rank === undefined) {
    issues.push(issueAt([...path, 'projection', 'rank'], 'is missing: a mixture of DCNv2 layers is one of low-rank layers', 'a whole number ≥ 1', 'add rank, or leave experts at 1'));
  }
  if (experts?.hidden?.length === 0) {
    issues.push(issueAt([...path, 'experts', 'hidden'], 'is empty: an expert needs a layer', 'at least one layer size', 'add one, or remove experts'));
  }
  if (preset === 'linear') {
    for (const [name, module] of Object.entries({ transformer, projection, experts })) {
      if (module !== undefined) issues.push(issueAt([...path, name], 'has no place in a logistic regression', "preset 'unified' or 'separate'", `remove ${name}, or change the preset`));
    }
  }
  if (lateFusion === true && preset !== 'unified') {
    issues.push(issueAt([...path, 'lateFusion'], 'only a model of several surfaces has features that one of them alone has', "preset 'unified'", 'remove lateFusion, or change the preset'));
  }
  return issues;
};

/** Every issue of the models' own options. */
export const checkModels = (parts: ConfigParts): Issue[] => Object.entries(parts.models).flatMap(([name, model]) => checkModel(parts, ['models', name], model));
