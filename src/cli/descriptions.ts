/** Every command and what it does: what help lists without loading any of them. */
export const DESCRIPTIONS = {
  init: 'write a starting onefold.config.ts by looking at the columns of your files',
  simulate: 'simulate a marketplace of three surfaces, with the true probability of every row',
  unify: 'go from separate models to one, a stage at a time, each held against its gate; ends with a report',
  prepare: 'merge, check and encode the logs of all surfaces into one dataset',
  inspect: 'state what a model costs per module and per surface, without training it',
  train: 'train a model of the config',
  evaluate: 'measure a trained model on held-out rows',
  compare: 'compare two trained models on the same held-out rows',
  export: 'write one self-contained checkpoint per surface, replayed against the trained model',
  diff: 'compare two exports of a surface: schema, tables, calibration, size and predictions',
  calibrate: "fit an export's calibration to fresh labelled rows, without training",
  predict: 'score raw rows of a surface with its export alone',
  publish: 'put exports into a registry, and let them serve',
  versions: 'list what a registry has',
  promote: 'let published versions serve',
  rollback: 'let the versions before serve again',
  features: 'fill and read the store of features that a server looks up by user and item',
  client: 'write a TypeScript client with the types of the features that exports or a server have',
  serve: 'score requests over HTTP and gRPC, with exports or with what a registry says',
  top: 'watch a running server: rates, latency, queue, batches, predictions',
} as const;

export type CommandName = keyof typeof DESCRIPTIONS;
