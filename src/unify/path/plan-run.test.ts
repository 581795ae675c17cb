import { expect, it } from 'vitest';
import type { ProjectConfig } from '../../config/project.js';
import { resolveProject } from '../../config/resolve.js';
import type { PreparedManifest } from '../../data/prepared.js';
import type { PathContext } from './context.js';
import { planRunKey } from './plan-run.js';

const CONFIG = {
  name: 'keys',
  surfaces: { home: { source: { files: 'h' } }, search: { source: { files: 's' } } },
  features: { ad: { kind: 'categorical', side: 'candidate' } },
  tasks: { click: { label: 'click' } },
} as const satisfies ProjectConfig;

it('runs of two budgets, surfaces or versions of the code are two runs: none is resumed or taken for another', () => {
  const project = resolveProject(CONFIG, { file: '/keys/onefold.config.ts' });
  const context = { project, manifest: { key: 'data' }, trainingCode: 'v1' } as unknown as PathContext & { readonly manifest: PreparedManifest };
  const model = project.models['unified']!;
  const options = { name: 'a', model, surfaces: ['home', 'search'] };
  const keys = [
    planRunKey(context, options),
    planRunKey(context, { ...options, budget: 0.5 }),
    planRunKey(context, { ...options, budget: 0.25 }),
    planRunKey(context, { ...options, surfaces: ['home'] }),
    planRunKey({ ...context, trainingCode: 'v2' }, options),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  // The name says nothing of what is trained.
  expect(planRunKey(context, { ...options, name: 'b', budget: 1 })).toBe(keys[0]);
});
