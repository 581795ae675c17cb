/** The readable parts of a config that may have faults elsewhere, so that one run reports every problem. */
import type { LocatedIssue } from './schema-issues.js';
import type { FeatureConfig, ProjectConfig, SurfaceConfig, TaskConfig } from './project.js';
import type { UnifyConfig } from './unify-plan.js';

/** Entries without a fault of shape, and the names of all entries, faulty ones too. */
export interface ConfigParts {
  readonly surfaces: Readonly<Record<string, SurfaceConfig>>;
  readonly features: Readonly<Record<string, FeatureConfig>>;
  readonly tasks: Readonly<Record<string, TaskConfig>>;
  readonly models: NonNullable<ProjectConfig['models']>;
  readonly split: ProjectConfig['split'];
  readonly data: ProjectConfig['data'];
  readonly training: ProjectConfig['training'];
  /** Options without a fault. */
  readonly unify: UnifyConfig;
  readonly names: Readonly<Record<'surfaces' | 'features' | 'tasks' | 'models' | 'unify', readonly string[]>>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes apart a config in which the schema found `faults`; an entry with a fault is left out. */
export function soundParts(config: Record<string, unknown>, faults: readonly LocatedIssue[]): ConfigParts {
  const spoiled = faults.filter((fault) => fault.spoils).map((fault) => fault.keys);
  const section = (name: string): Record<string, unknown> => (isRecord(config[name]) ? config[name] : {});
  const entries = (name: string): Record<string, never> => {
    const bad = new Set<PropertyKey | undefined>(spoiled.filter(([first]) => first === name).map(([, second]) => second));
    const sound = bad.has(undefined) ? [] : Object.entries(section(name)).filter(([key]) => !bad.has(key));
    return Object.fromEntries(sound) as Record<string, never>;
  };
  const whole = (name: string): undefined =>
    (spoiled.some(([first]) => first === name) ? undefined : config[name]) as undefined;
  return {
    surfaces: entries('surfaces'),
    features: entries('features'),
    tasks: entries('tasks'),
    models: entries('models'),
    split: whole('split'),
    data: whole('data'),
    training: whole('training'),
    unify: entries('unify'),
    names: {
      surfaces: Object.keys(section('surfaces')),
      features: Object.keys(section('features')),
      tasks: Object.keys(section('tasks')),
      models: Object.keys(section('models')),
      unify: Object.keys(section('unify')),
    },
  };
}

/** Whether an entry limited to `surfaces` (all when left out) is on `surface`. */
export function isOn(entry: { readonly surfaces?: readonly string[] }, surface: string): boolean {
  return entry.surfaces === undefined || entry.surfaces.includes(surface);
}
