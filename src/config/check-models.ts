/** A model's modules must fit each other and the features they read. */
import type { ConfigParts } from './config-parts.js';
import { issueAt, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import type { ModelConfig, TransformerConfig } from './project.js';
import { didYouMean, listNames } from './suggest.js';

const DEFAULT_WIDTH = 64;
const DEFAULT_HEADS = 2;

const checkTransformer = (parts: ConfigParts, path: ConfigPath, transformer: TransformerConfig): Issue[] => {
  const issues: Issue[] = [];
  const { width = DEFAULT_WIDTH, heads = DEFAULT_HEADS, positions, sequences } = transformer;
  if (width % heads !== 0) {
    issues.push(issueAt([...path, 'heads'], `${heads} heads do not divide a width of ${width}`, `a divisor of ${width}`, 'change heads or width'));
  }
  const known = Object.entries(parts.features).flatMap(([name, feature]) => (feature.kind === 'sequence' ? [name] : []));
  const isSound = parts.names.features.every((name) => parts.features[name] !== undefined);
  if (isSound && known.length === 0) {
    issues.push(issueAt(path, 'there is no sequence to read', "a feature with kind 'sequence'", 'declare one, or remove transformer'));
    return issues;
  }
  (sequences ?? []).forEach((name, index) => {
    if (!isSound || known.includes(name)) return;
    issues.push(issueAt([...path, 'sequences', index], `${JSON.stringify(name)} is not a sequence`, `one of ${listNames(known)}`, didYouMean(name, known)));
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

const checkModel = (parts: ConfigParts, path: ConfigPath, model: ModelConfig): Issue[] => {
  const { transformer, projection, experts, lateFusion, preset } = model;
  const issues = transformer === undefined ? [] : checkTransformer(parts, [...path, 'transformer'], transformer);
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
