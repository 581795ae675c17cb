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

const exported = join(here, '.onefold', 'unify', 'exports');
process.stdout.write(`
To serve it, and to ask for two ads' scores (docs/serving.md):

  npx onefold serve ${exported}
  curl -s http://127.0.0.1:8080/v1/score -H 'content-type: application/json' \\
    -d '{"surface": "search", "features": {"user": "419", "query": "gaming 1"}, "candidates": [{"ad_id": "1721"}, {"ad_id": "1703"}]}'
`);
