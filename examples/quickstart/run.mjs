/** The quickstart: a simulated marketplace of three surfaces, from logs to exports. */
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runPipeline } from '../run-pipeline.mjs';

const here = relative(process.cwd(), fileURLToPath(new URL('.', import.meta.url))) || '.';
const data = join(here, '.onefold', 'marketplace');
const project = ['--config', here, '--data', data];

runPipeline([
  ['simulate', data, '--candidates', '300000', '--force'],
  ['prepare', ...project],
  ['train', 'separate', ...project],
  ['train', 'unified', ...project],
  ['compare', 'separate', 'unified', ...project],
  ['inspect', 'full', ...project],
  ['train', 'full', ...project],
  ['compare', 'unified', 'full', ...project],
  ['export', 'full', ...project],
]);
