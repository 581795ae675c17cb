/** Wherever an entry names a surface or a task, there must be one, and every surface needs features and a task. */
import { isOn, type ConfigParts } from './config-parts.js';
import { issueAt, type ConfigPath } from './config-path.js';
import type { Issue } from './errors.js';
import type { TrainingConfig } from './project.js';
import { didYouMean, listNames } from './suggest.js';

const unknown = (path: ConfigPath, what: 'surface' | 'task', name: string, known: readonly string[]): Issue =>
  issueAt(path, `unknown ${what} ${JSON.stringify(name)}`, `one of ${listNames(known)}`, didYouMean(name, known));

interface Limited {
  readonly surfaces?: readonly string[];
  readonly on?: Readonly<Record<string, unknown>>;
}

const checkLimited = (path: ConfigPath, entry: Limited, known: readonly string[]): Issue[] => {
  const issues: Issue[] = [];
  const listed = entry.surfaces ?? [];
  listed.forEach((surface, index) => {
    const at = [...path, 'surfaces', index];
    if (!known.includes(surface)) issues.push(unknown(at, 'surface', surface, known));
    else if (listed.indexOf(surface) < index) {
      issues.push(issueAt(at, `surface ${JSON.stringify(surface)} is listed twice`, 'each surface once', 'remove one of them'));
    }
  });
  for (const surface of Object.keys(entry.on ?? {})) {
    const at = [...path, 'on', surface];
    if (!known.includes(surface)) issues.push(unknown(at, 'surface', surface, known));
    else if (!isOn(entry, surface)) {
      issues.push(
        issueAt(
          at,
          `${JSON.stringify(surface)} is not one of its surfaces`,
          `one of ${listNames(listed)}`,
          `add ${JSON.stringify(surface)} to its surfaces, or remove it here`,
        ),
      );
    }
  }
  return issues;
};

const checkSampling = (parts: ConfigParts): Issue[] =>
  Object.entries(parts.surfaces).flatMap(([surface, { negativeSampling }]) => {
    if (negativeSampling === undefined) return [];
    const path = ['surfaces', surface, 'negativeSampling'];
    const { task } = negativeSampling;
    if (!parts.names.tasks.includes(task)) return [unknown([...path, 'task'], 'task', task, parts.names.tasks)];
    // A task with a fault elsewhere may be on the surface or not: wait until it can be read.
    if (parts.names.tasks.some((name) => parts.tasks[name] === undefined)) return [];
    const here = Object.keys(parts.tasks).filter((name) => isOn(parts.tasks[name]!, surface));
    if (!here.includes(task)) {
      return [
        issueAt(
          [...path, 'task'],
          `task ${JSON.stringify(task)} is not on surface ${JSON.stringify(surface)}`,
          `one of ${listNames(here)}`,
          `add ${JSON.stringify(surface)} to tasks.${task}.surfaces, or remove negativeSampling`,
        ),
      ];
    }
    if (here.length === 1) return [];
    return [
      issueAt(
        path,
        `the surface has ${here.length} tasks (${here.join(', ')}). Sampling is undone by adding log(rate) to the logit of ${task}; ` +
          'it also drops rows of the other tasks, by a rule that no shift of their logits undoes',
        'negative sampling only on a surface with exactly one task',
        `remove negativeSampling, or leave only ${JSON.stringify(task)} on ${JSON.stringify(surface)}`,
      ),
    ];
  });

/** The task that early stopping watches. */
export const checkTrainingTask = (path: ConfigPath, training: TrainingConfig | undefined, tasks: readonly string[]): Issue[] => {
  const stopping = training?.earlyStopping;
  if (stopping === undefined || stopping === false || stopping.task === undefined || tasks.includes(stopping.task)) return [];
  return [unknown([...path, 'earlyStopping', 'task'], 'task', stopping.task, tasks)];
};

const SECTIONS = {
  surfaces: ['a surface', "add one, e.g. surfaces: { home_feed: { source: { files: 'home/*.parquet' } } }"],
  features: ['a feature', "add one, e.g. features: { ad_id: { kind: 'categorical', side: 'candidate' } }"],
  tasks: ['a task', "add one, e.g. tasks: { click: { label: 'clicked' } }"],
} as const;

/** A section that has entries but none on this surface. */
const checkCoverage = (parts: ConfigParts): Issue[] =>
  parts.names.surfaces.flatMap((surface) =>
    (['features', 'tasks'] as const).flatMap((section) => {
      const names = parts.names[section];
      if (names.length === 0 || names.some((name) => parts[section][name] === undefined)) return [];
      if (names.some((name) => isOn(parts[section][name]!, surface))) return [];
      const what = SECTIONS[section][0];
      return [
        issueAt(
          ['surfaces', surface],
          `no ${section.slice(0, -1)} is on surface ${JSON.stringify(surface)}`,
          `at least ${what} on every surface`,
          `add ${JSON.stringify(surface)} to the surfaces of ${what}, or remove the surface`,
        ),
      ];
    }),
  );

/** Every issue of references between entries. */
export function checkReferences(parts: ConfigParts): Issue[] {
  const { surfaces, tasks } = parts.names;
  const empty = (['surfaces', 'features', 'tasks'] as const).filter((section) => parts.names[section].length === 0);
  return [
    ...empty.map((section) => issueAt([section], 'is empty', `at least ${SECTIONS[section][0]}`, SECTIONS[section][1])),
    ...Object.entries(parts.features).flatMap(([name, feature]) => checkLimited(['features', name], feature, surfaces)),
    ...Object.entries(parts.tasks).flatMap(([name, task]) => checkLimited(['tasks', name], task, surfaces)),
    ...checkSampling(parts),
    ...(['truth', 'outside'] as const).flatMap((option) =>
      Object.keys(parts.data?.[option] ?? {})
        .filter((task) => !tasks.includes(task))
        .map((task) => unknown(['data', option, task], 'task', task, tasks)),
    ),
    ...checkTrainingTask(['training'], parts.training, tasks),
    ...Object.entries(parts.models).flatMap(([name, model]) => checkTrainingTask(['models', name, 'training'], model.training, tasks)),
    ...checkCoverage(parts),
  ];
}
