import { defineConfig } from 'onefold/config';

/**
 * The simulated marketplace that `onefold simulate` writes: three surfaces of one product that share users and ads.
 * Logs are request-grouped: a row is a request, columns of its candidates are lists.
 */
export default defineConfig(({ data }) => {
  const logs = (surface: string) => ({ files: `${data}/logs/${surface}/*.parquet`, layout: 'request' }) as const;
  return {
    name: 'marketplace',
    surfaces: {
      home_feed: { source: logs('home_feed'), viewType: 'view_type' },
      search: { source: logs('search'), viewType: 'view_type' },
      related_pins: { source: logs('related_pins'), viewType: 'view_type' },
    },
    features: {
      user: { kind: 'categorical', side: 'request', column: 'user_id' },
      device: { kind: 'categorical', side: 'request' },
      country: { kind: 'categorical', side: 'request' },
      age_bucket: { kind: 'categorical', side: 'request' },
      hour: { kind: 'categorical', side: 'request' },
      price_sensitivity: { kind: 'number', side: 'request', encoding: { type: 'bucket', count: 16 } },
      account_age_days: { kind: 'number', side: 'request', encoding: { type: 'log' } },
      declared_interests: { kind: 'multi', side: 'request', table: 'topic' },
      // What the user engaged with before this request, wherever that was.
      history: {
        kind: 'sequence',
        length: 30,
        events: { source: { files: `${data}/events/*.parquet` }, user: 'user_id', time: 'time' },
        fields: { pin: { column: 'pin_id', table: 'ad_id' }, topic: { table: 'topic' }, action: {}, gap: { kind: 'time_gap' } },
      },
      // Only search has a query; only related pins have a subject.
      query: { kind: 'categorical', side: 'request', surfaces: ['search'] },
      query_length: { kind: 'number', side: 'request', surfaces: ['search'] },
      subject_pin: { kind: 'categorical', side: 'request', surfaces: ['related_pins'], table: 'ad_id' },
      subject_topic: { kind: 'categorical', side: 'request', surfaces: ['related_pins'], table: 'topic' },
      ad_id: { kind: 'categorical', side: 'candidate' },
      advertiser: { kind: 'categorical', side: 'candidate' },
      topic: { kind: 'categorical', side: 'candidate' },
      format: { kind: 'categorical', side: 'candidate' },
      tags: { kind: 'multi', side: 'candidate' },
      price: { kind: 'number', side: 'candidate', encoding: { type: 'bucket', count: 16 } },
      ad_age_days: { kind: 'number', side: 'candidate', encoding: { type: 'log' } },
      creative: { kind: 'vector', side: 'candidate', size: 8 },
      // Where the ad stood is known only afterwards: learned from, then fixed at the first position.
      position: { kind: 'categorical', side: 'candidate', trainingOnly: { serveAs: 1 } },
    },
    tasks: {
      click: { label: 'click' },
      long_click: { label: 'long_click', weight: 0.5 },
      save: { label: 'save', weight: 0.5 },
    },
    data: { truth: { click: 'p_click', long_click: 'p_long_click', save: 'p_save' } },
    // Two days each: calibration is fitted on the first two, and all is measured on the last two.
    split: { validationFrom: '2026-01-15', testFrom: '2026-01-17' },
    models: {
      separate: { preset: 'separate' },
      unified: { preset: 'unified' },
      full: {
        preset: 'unified',
        dropout: 0.1,
        transformer: { layers: 1, width: 32, read: 'candidate', dropout: 0.2 },
        projection: { width: 16 },
        experts: { count: 4, hidden: [64] },
      },
      linear: { preset: 'linear' },
    },
    // The path from the surfaces' own models to one: what each stage adds to the one before.
    unify: {
      // The models as they are: related pins has a deeper one than the other two.
      separate: { training: { epochs: 1, learningRate: 4e-3 }, on: { related_pins: { cross: { layers: 3 } } } },
      baseline: { training: { epochs: 1, learningRate: 4e-3 } },
      sharedLearning: {
        dropout: 0.1,
        transformer: { layers: 1, width: 32, read: 'candidate', dropout: 0.2 },
        experts: { count: 3, hidden: [32] },
      },
      // The Transformer's output projected to 16 numbers, narrower embeddings, low-rank crosses, a smaller MLP: together they pay for
      // what was added.
      efficiency: {
        embedding: { width: 12 },
        cross: { rank: 96 },
        projection: { width: 16 },
        mlp: [64, 32],
        training: { learningRate: 6e-3 },
      },
      surfaceAware: { tower: [32] },
    },
    training: { batchSize: 512, epochs: 2, evaluationsPerEpoch: 2, earlyStopping: { metric: 'logLoss', task: 'click', patience: 2 } },
  };
});
