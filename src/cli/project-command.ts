import { Command } from 'commander';
import { loadProject } from '../config/load.js';
import type { Project } from '../config/project.js';
import { DESCRIPTIONS, type CommandName } from './descriptions.js';
import { createOutput, type CommonOptions, type Output } from './output.js';

/** Options of every command that works on a project. */
export interface ProjectOptions extends CommonOptions {
  readonly config: string;
  readonly data?: string;
}

/** A command with `--config`, `--data` and `--json`. */
export const projectCommand = (name: CommandName, examples: string): Command =>
  new Command(name)
    .description(DESCRIPTIONS[name])
    .option('-c, --config <path>', 'config file, or a folder with onefold.config.ts', '.')
    .option('-d, --data <folder>', 'folder of the logs, for configs that ask for it')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', `\nExamples:\n${examples.trim().replaceAll(/^ */gm, '  ')}\n`);

/** Loads the project a command was called for. */
export const openProject = async (options: ProjectOptions): Promise<{ readonly project: Project; readonly output: Output }> => ({
  project: await loadProject(options.config, options.data === undefined ? {} : { data: options.data }),
  output: createOutput(options),
});
