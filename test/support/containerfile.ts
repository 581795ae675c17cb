/** A Containerfile's instructions, and which files of a build context its COPY instructions see. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

export interface Instruction {
  /** In capitals: `RUN`, `COPY` … */
  readonly name: string;
  /** Everything after the name, continued lines joined. */
  readonly text: string;
}

/** A stage: its instructions after FROM. */
export interface Stage {
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

const instructionsOf = (text: string): readonly Instruction[] =>
  text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: /^\S+/.exec(line)![0].toUpperCase(), text: line.replace(/^\S+\s*/, '') }));

/** Stages of a Containerfile, in order. */
export const readStages = (path: string): readonly Stage[] => {
  const stages: { readonly name: string | undefined; readonly instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(readFileSync(path, 'utf8'))) {
    if (instruction.name === 'FROM') stages.push({ name: /\bAS\s+(\S+)$/i.exec(instruction.text)?.[1], instructions: [] });
    else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
};

/** A COPY: sources, the stage they are of (undefined: the build context), and where they go. */
export const readCopy = (text: string): { readonly from: string | undefined; readonly sources: readonly string[]; readonly target: string } => {
  const words = text.split(/\s+/);
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  return { from, sources: paths.slice(0, -1), target: paths.at(-1)! };
};

/** The words of an instruction in exec form, `["node", "main.js"]`. */
export const execForm = (text: string): readonly string[] => JSON.parse(text.slice(text.indexOf('['))) as readonly string[];

const toRegExp = (pattern: string): RegExp =>
  new RegExp(`^${pattern.split(/(\*\*\/|\*)/).map((part) => (part === '**/' ? '(?:.*/)?' : part === '*' ? '[^/]*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))).join('')}$`);

/** Tells of a path whether a build sees it: as Docker reads `.dockerignore`, the last pattern that matches it or a folder above it decides. */
export const contextFilter = (ignoreFile: string): ((path: string) => boolean) => {
  const rules = readFileSync(ignoreFile, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ includes: line.startsWith('!'), pattern: toRegExp(line.replace(/^!/, '').replace(/\/$/, '')) }));
  return (path) => {
    const parts = path.split('/');
    const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    return rules.findLast(({ pattern }) => prefixes.some((prefix) => pattern.test(prefix)))?.includes ?? true;
  };
};

/** Files below a source of a COPY that the build sees, relative to the context. */
export const contextFiles = (root: string, source: string, isSeen: (path: string) => boolean): readonly string[] => {
  const path = join(root, source);
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [posix.join(source, entry.parentPath.slice(path.length), entry.name)] : []))
    : [source];
  return files.filter(isSeen);
};
