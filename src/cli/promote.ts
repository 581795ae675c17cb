import { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { openRegistry } from '../serve/registry/registry.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';
import { addRegistry, registryOptions, type RegistryFlags } from './registry-option.js';
import { showPointer } from './show-pointer.js';

const EXAMPLES = `
Examples:
  onefold promote search=20250131-120000-1a2b3c4d --registry registry
  onefold promote search=v2 home_feed=v2 --registry s3://models/ads

All of them serve from the same moment on. A server that follows the registry checks a version before it takes it in.
`;

const readVersion = (text: string): readonly [surface: string, version: string] => {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new UsageError(`"${text}" names no version`, { where: text, expected: 'SURFACE=VERSION', fix: '`onefold versions` lists them' });
};

/** `onefold promote SURFACE=VERSION…`: lets published versions serve. */
export const promoteCommand = (): Command =>
  addRegistry(new Command('promote').description(DESCRIPTIONS.promote).argument('<versions...>', 'SURFACE=VERSION'))
    .addHelpText('after', EXAMPLES)
    .action(async (versions: readonly string[], flags: RegistryFlags & CommonOptions) => {
      const output = createOutput(flags);
      const registry = await openRegistry(flags.registry, registryOptions(flags));
      showPointer(output, await registry.promote(Object.fromEntries(versions.map(readVersion))));
    });
