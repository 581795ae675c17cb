/** `node examples/real-logs.mjs kuairand|ebnerd DATA_FOLDER`: a real product's logs, from a model per surface to one for all. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runPipeline } from './run-pipeline.mjs';

const [example, data] = process.argv.slice(2);
const here = relative(process.cwd(), fileURLToPath(new URL('.', import.meta.url))) || '.';
if (example === undefined || !existsSync(join(here, example, 'onefold.config.ts')) || data === undefined || !existsSync(data)) {
  process.stderr.write('usage: npm run example -- kuairand|ebnerd DATA_FOLDER\n  DATA_FOLDER: the folder with the logs (see the README of the example)\n');
  process.exit(2);
}

runPipeline([['unify', '--config', join(here, example), '--data', data]]);
