import { Command } from 'commander';
import { publish } from '../serve/registry/publish.js';
import { openRegistry } from '../serve/registry/registry.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';
import { addRegistry, registryOptions, type RegistryFlags } from './registry-option.js';

interface PublishFlags extends CommonOptions, RegistryFlags {
  readonly name?: string;
  readonly promote: boolean;
}

const EXAMPLES = `
Examples:
  onefold publish .onefold/unify/exports --registry registry
  onefold publish exports/search-v2 --registry s3://models/ads --name v2 --no-promote

EXPORT is an export, or a folder with one per surface: all of them serve from the same moment on. Versions never change.
`;

/** `onefold publish EXPORT…`: puts exports into a registry. */
export const publishCommand = (): Command =>
  addRegistry(
    new Command('publish')
      .description(DESCRIPTIONS.publish)
      .argument('<exports...>', 'folders of exports, or a folder of such folders')
      .option('--name <version>', 'name of the version; left out: the moment and the digest of its manifest')
      .option('--no-promote', 'let what serves go on serving'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (exports: readonly string[], { name: version, promote, ...flags }: PublishFlags) => {
      const output = createOutput(flags);
      const registry = await openRegistry(flags.registry, registryOptions(flags));
      const result = await publish(registry, { exports, version, promote });
      for (const one of result.published) output.text(`${one.surface}  ${one.version}${result.pointer === undefined ? '' : '  serves'}`);
      output.result({ published: result.published, current: result.pointer ?? null });
    });
