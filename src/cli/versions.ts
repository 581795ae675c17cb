import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { IoError, UsageError } from '../config/errors.js';
import { openRegistry, type PublishedVersion } from '../serve/registry/registry.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';
import { addRegistry, registryOptions, type RegistryFlags } from './registry-option.js';

const EXAMPLES = `
Examples:
  onefold versions --registry registry
  onefold versions search --registry s3://models/ads --json
`;

/** The versions of a surface, or all; a path or a name with a slip of the pen is not taken for an empty registry. */
const pick = (location: string, all: readonly PublishedVersion[], surface: string | undefined): readonly PublishedVersion[] => {
  if (all.length === 0 && !location.startsWith('s3://') && !existsSync(location)) {
    throw new IoError(`${location} is not there`, { where: '--registry', expected: 'a folder that `onefold publish` has written', fix: 'check the path, or publish an export first' });
  }
  const picked = all.filter((one) => surface === undefined || one.surface === surface);
  if (picked.length > 0 || all.length === 0) return picked;
  throw new UsageError(`${location} has no version of "${surface!}"`, { where: 'SURFACE', expected: `one of ${[...new Set(all.map((one) => one.surface))].join(', ')}`, fix: 'name one of these, or none for all' });
};

/** `onefold versions [SURFACE]`: lists what a registry has. */
export const versionsCommand = (): Command =>
  addRegistry(new Command('versions').description(DESCRIPTIONS.versions).argument('[surface]', 'left out: all'))
    .addHelpText('after', EXAMPLES)
    .action(async (surface: string | undefined, flags: RegistryFlags & CommonOptions) => {
      const output = createOutput(flags);
      const registry = await openRegistry(flags.registry, registryOptions(flags));
      const [all, { surfaces, revision }] = await Promise.all([registry.versions(), registry.current()]);
      const listed = pick(flags.registry, all, surface).map((one) => ({ ...one, serves: surfaces[one.surface]?.version === one.version, previous: surfaces[one.surface]?.previous === one.version }));
      if (listed.length === 0) output.text(`${flags.registry} has no versions: \`onefold publish\` takes exports in`);
      for (const one of listed) output.text(`${one.surface}  ${one.version}${one.serves ? '  serves' : ''}${one.previous ? '  before' : ''}`);
      output.result({ revision, versions: listed });
    });
