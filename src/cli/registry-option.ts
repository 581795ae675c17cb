/** Options of every command that works on a registry. */
import type { Command } from 'commander';

export interface RegistryFlags {
  readonly registry: string;
  readonly s3Endpoint?: string;
}

/** Adds `--registry`, `--s3-endpoint` and `--json`. */
export const addRegistry = (command: Command): Command =>
  command
    .requiredOption('--registry <location>', 'folder, or s3://bucket/prefix')
    .option('--s3-endpoint <url>', 'endpoint of S3-compatible storage')
    .option('--json', 'print one JSON object on standard output');

export const registryOptions = ({ s3Endpoint }: RegistryFlags): { readonly s3Endpoint?: string } => (s3Endpoint === undefined ? {} : { s3Endpoint });
