/** From a config to a {@link Project}: every default filled in, every name resolved. Defaults are in docs/configuration.md. */
import { totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { isOn } from './config-parts.js';
import type { ConfigEnvironment, ConfigInput } from './define-config.js';
import { UsageError } from './errors.js';
import { parseMoment } from './moment.js';
import type { KeysConfig, Project, ProjectConfig, SplitConfig, Surface, Task } from './project.js';
import { resolveFeatures } from './resolve-features.js';
import { resolveModels } from './resolve-models.js';
import { resolveUnify } from './resolve-unify.js';
import { raised } from './raised.js';
import { validateConfig } from './validate.js';

const DEFAULT_KEYS: { readonly [K in keyof KeysConfig]-?: NonNullable<KeysConfig[K]> } = { request: 'request_id', user: 'user_id', time: 'time', timeUnit: 'ms' };
const GIGABYTE = 1e9;

const resolveSurface = (name: string, config: ProjectConfig): Surface => {
  const { source, where, keys, viewType, viewTypes, negativeSampling } = config.surfaces[name]!;
  const key = <K extends keyof KeysConfig>(option: K): NonNullable<KeysConfig[K]> =>
    keys?.[option] ?? config.keys?.[option] ?? DEFAULT_KEYS[option];
  return {
    name,
    source,
    where,
    keys: { request: key('request'), user: key('user'), time: key('time'), timeUnit: key('timeUnit') },
    viewType,
    viewTypes,
    negativeSampling,
  };
};

const resolveTask = (name: string, config: ProjectConfig, surfaceNames: readonly string[]): Task => {
  const task = config.tasks[name]!;
  const surfaces = surfaceNames.filter((surface) => isOn(task, surface));
  return {
    name,
    weight: task.weight ?? 1,
    surfaces,
    labels: Object.fromEntries(surfaces.map((surface) => [surface, task.on?.[surface]?.label ?? task.label])),
  };
};

/** Moments become epoch milliseconds here, so that nothing later reads dates in a time zone of its own. */
const resolveSplit = (split: SplitConfig | undefined): SplitConfig => {
  if (split === undefined) return { validation: 0.1, test: 0.1 };
  if (!('validationFrom' in split)) return { validation: split.validation, test: split.test };
  return {
    validationFrom: parseMoment(split.validationFrom)!,
    testFrom: parseMoment(split.testFrom)!,
    ...(split.from === undefined ? {} : { from: parseMoment(split.from)! }),
    ...(split.until === undefined ? {} : { until: parseMoment(split.until)! }),
  };
};

/** Columns that are set, by task. */
const columnsOf = (columns: Readonly<Record<string, string | undefined>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(columns ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined));

const defaultMemoryLimit = (): string => `${Math.max(1, Math.min(8, Math.floor(totalmem() / 2 / GIGABYTE)))}GB`;

const callConfig = (config: ConfigInput, file: string, data: string | undefined): unknown => {
  if (typeof config !== 'function') return config;
  const environment: ConfigEnvironment = {
    directory: dirname(file),
    get data() {
      if (data !== undefined) return data;
      throw new UsageError('this config reads from a data folder, and none was given', {
        where: '--data',
        expected: 'the folder that holds the data',
        fix: 'add --data FOLDER to the command',
      });
    },
  };
  try {
    return config(environment);
  } catch (error) {
    throw raised(error, file, 'the config function threw');
  }
};

/**
 * Validates a config and fills in its defaults.
 *
 * @param config - a config, or its function form, which is called with the folders
 * @param options.file - absolute path of the config file; relative names start from its folder
 * @param options.data - absolute data folder, for the function form
 * @throws ConfigError with every issue found; UsageError when the function form reads `data` and there is none
 */
export function resolveProject(config: ConfigInput, options: { readonly file: string; readonly data?: string }): Project {
  const file = resolve(options.file);
  const directory = dirname(file);
  const valid = validateConfig(callConfig(config, file, options.data), file);
  const surfaces = Object.keys(valid.surfaces);
  const tasks = Object.keys(valid.tasks);
  return {
    name: valid.name,
    file,
    directory,
    workspace: resolve(directory, valid.workspace ?? '.onefold'),
    surfaces: surfaces.map((name) => resolveSurface(name, valid)),
    features: resolveFeatures(valid.features, surfaces),
    tasks: tasks.map((name) => resolveTask(name, valid, surfaces)),
    split: resolveSplit(valid.split),
    data: {
      badRows: valid.data?.badRows ?? 'fail',
      memoryLimit: valid.data?.memoryLimit ?? defaultMemoryLimit(),
      shardCandidates: valid.data?.shardCandidates ?? 500_000,
      truth: columnsOf(valid.data?.truth),
      outside: columnsOf(valid.data?.outside),
    },
    models: resolveModels(valid, tasks[0]!),
    unify: resolveUnify(valid, surfaces, tasks),
  };
}
