import { z } from 'zod';
import type { ModelOptions } from './project.js';
import { modelOptionsSchema } from './schema.js';

/** Modules that a model has or lacks; the options of one that it lacks are nothing to it. */
const MODULES = ['transformer', 'projection', 'experts'] as const;
type Module = (typeof MODULES)[number];

/** An object or `false`: which of its parts there are depends on its value. */
const NOT_SWEPT = ['training.earlyStopping'];

const leavesOf = (schema: z.ZodType, path: readonly string[]): string[] => {
  const inner = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  if (!(inner instanceof z.ZodObject)) return [path.join('.')];
  return Object.entries(inner.shape as Readonly<Record<string, z.ZodType>>).flatMap(([key, value]) => leavesOf(value, [...path, key]));
};

/** Paths of a model's options that a sweep can set: `training.learningRate`, `mlp`. */
export const SWEEP_PATHS: readonly string[] = leavesOf(modelOptionsSchema, []).filter((path) => !NOT_SWEPT.includes(path));

/** The module that an option is of; undefined for an option that every model has. */
export const moduleOf = (path: string): Module | undefined => MODULES.find((module) => path.startsWith(`${module}.`));

/** Options with the one at `path` set; unchanged where it is one of a module that they lack. */
export const withOption = (options: ModelOptions, path: string, value: unknown): ModelOptions => {
  const module = moduleOf(path);
  if (module !== undefined && options[module] === undefined) return options;
  const [first, second] = path.split('.') as [keyof ModelOptions, string | undefined];
  return { ...options, [first]: second === undefined ? value : { ...(options[first] as object | undefined), [second]: value } };
};
