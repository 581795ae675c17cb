import { Command } from 'commander';
import { openRegistry } from '../serve/registry/registry.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';
import { addRegistry, registryOptions, type RegistryFlags } from './registry-option.js';
import { showPointer } from './show-pointer.js';

const EXAMPLES = `
Examples:
  onefold rollback --registry registry
  onefold rollback search --registry s3://models/ads

Servers that follow the registry have the version before loaded still: they change to it at once. Called again, it goes one
step further back.
`;

/** `onefold rollback [SURFACE…]`: lets the versions before serve again. */
export const rollbackCommand = (): Command =>
  addRegistry(new Command('rollback').description(DESCRIPTIONS.rollback).argument('[surfaces...]', 'left out: every surface that has a version before'))
    .addHelpText('after', EXAMPLES)
    .action(async (surfaces: readonly string[], flags: RegistryFlags & CommonOptions) => {
      const output = createOutput(flags);
      const registry = await openRegistry(flags.registry, registryOptions(flags));
      showPointer(output, await registry.rollback(surfaces.length === 0 ? undefined : surfaces));
    });
