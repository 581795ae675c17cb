import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadProject } from './load.js';
import { configIssues } from './validate.js';

/** TypeScript blocks of docs/configuration.md: whole configs, and the sections of one. */
const guide = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const blocks = [...guide.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!);
const whole = blocks.filter((block) => block.includes('export default'));
const sections = blocks.filter((block) => !block.includes('export default'));

test('the guide has examples', () => {
  expect(whole.length).toBeGreaterThanOrEqual(2);
  expect(sections.length).toBeGreaterThanOrEqual(6);
});

test.each(whole)('loads: %s', async (block) => {
  const folder = await mkdtemp(join(tmpdir(), 'onefold-guide-'));
  const text = block.includes('import ') ? block : `import { defineConfig } from 'onefold/config';\n${block}`;
  await writeFile(join(folder, 'onefold.config.ts'), text);
  expect((await loadProject(folder, { data: folder })).name).toBe('shop');
  await rm(folder, { recursive: true });
});

test.each(sections)('validates: %s', (block) => {
  const section = new Function(`return {${block}};`)() as Record<string, unknown>;
  const surfaces = Object.fromEntries(['home_feed', 'feed', 'search'].map((name) => [name, { source: { files: 'x.csv' } }]));
  const base = {
    name: 'shop',
    surfaces,
    features: { country: { kind: 'categorical', side: 'request' }, history: { kind: 'sequence', length: 20, fields: { ad_id: {} } } },
    tasks: { click: { label: 'clicked' } },
  };
  expect(configIssues({ ...base, ...section })).toEqual([]);
});
