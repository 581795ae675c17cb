/**
 * The room-boundary rule (ARCHITECTURE.md): data flows down this list, and a room imports only rooms above it.
 * `graph` and `kernels` import nothing of ours; `cli` imports everything.
 */
const ROOMS = [
  'config', 'data', 'simulate', 'graph', 'kernels', 'model', 'train', 'evaluate', 'calibrate', 'export', 'unify', 'serve',
  'rollout', 'monitor', 'cli',
];
const ISOLATED = ['graph', 'kernels'];

const forbidden = ROOMS.map((room, position) => {
  const allowed = ISOLATED.includes(room) ? [room] : ROOMS.slice(0, position + 1);
  return {
    name: `room-${room}`,
    comment: `src/${room} may import only: ${allowed.join(', ')}`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: `^src/(${allowed.join('|')})/` },
  };
});

module.exports = {
  forbidden: [
    ...forbidden,
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'tests-stay-tests', severity: 'error', from: { pathNot: '\\.test\\.ts$' }, to: { path: '\\.test\\.ts$' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
