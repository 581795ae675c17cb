import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import { explainIoFailure } from '../data/io-failure.js';
import { readExport } from '../export/open-export.js';
import { generateClient, type DescribedSurface } from '../serve/client/generate-client.js';
import { fetchSurfaces } from '../serve/client/read-openapi.js';
import { LoadedVersion } from '../serve/engine/loaded-version.js';
import { readTokens } from '../serve/http/authorize.js';
import { exportFolders } from '../serve/version-source.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';

interface ClientFlags extends CommonOptions {
  readonly output: string;
  readonly tokenFile?: string;
}

const EXAMPLES = `
Examples:
  onefold client .onefold/unify/exports --output src/onefold-client.ts
  onefold client exports/search --output client.ts --json
  onefold client http://127.0.0.1:8080 --output client.ts

The file has the names and types of every surface's features, tasks and view types, and a client that takes no others:
  import { createClient } from './onefold-client.js';
  const client = createClient({ url: 'http://127.0.0.1:8080' });
  const { scores } = await client.score({ surface: 'search', features: { query: 'shoes' }, candidates: [{ ad_id: 'a1' }] });
`;

const isUrl = (source: string): boolean => /^https?:/u.test(source);

const describe = async (sources: readonly string[], tokenFile: string | undefined): Promise<readonly DescribedSurface[]> => {
  const [first, ...others] = sources;
  if (!sources.some(isUrl)) {
    const read = await Promise.all((await exportFolders(sources)).map((directory) => readExport(directory)));
    return read.map(({ directory, manifest, encoders }) => new LoadedVersion({ version: '', directory, manifest, encoders }).served);
  }
  if (others.length > 0) throw new UsageError('a server is asked alone', { where: 'EXPORTS', expected: 'one URL, or folders of exports', fix: 'name the server, which describes all of its surfaces' });
  return fetchSurfaces({ url: first!, ...(tokenFile === undefined ? {} : { token: readTokens(tokenFile)[0] }) });
};

/** `onefold client EXPORT…`: writes a typed client of the exports' server. */
export const clientCommand = (): Command =>
  new Command('client')
    .description(DESCRIPTIONS.client)
    .argument('<exports...>', "folders of exports, a folder of such folders, or a server's URL")
    .requiredOption('-o, --output <file>', 'TypeScript file to write')
    .option('--token-file <file>', 'API tokens of the server; the first is used')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (exports: readonly string[], flags: ClientFlags) => {
      const output = createOutput(flags);
      const surfaces = await describe(exports, flags.tokenFile);
      const file = resolve(flags.output);
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, generateClient(surfaces));
      } catch (error) {
        throw explainIoFailure(error, file);
      }
      output.text(`${flags.output}: a client of ${surfaces.map(({ surface }) => surface).join(', ')}`);
      output.result({ output: flags.output, surfaces: surfaces.map(({ surface }) => surface) });
    });
