/** The quickstart: a simulated marketplace of three surfaces, from their own models to one, with its report. */
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runPipeline } from '../run-pipeline.mjs';

const here = relative(process.cwd(), fileURLToPath(new URL('.', import.meta.url))) || '.';
const data = join(here, '.onefold', 'marketplace');

runPipeline([
  ['simulate', data, '--candidates', '1000000', '--force'],
  ['unify', '--config', here, '--data', data],
]);
