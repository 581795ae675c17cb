import { defineConfig } from 'onefold/config';

/**
 * KuaiRand-Pure, standard log of 2022-04-25 .. 05-08: five tabs of one short-video app as five surfaces.
 *
 * Leakage: the monthly video statistics that come with the data average over the test days, so they are not read. The
 * sequences of watched and liked videos all end on 04-24, before the first row; `recent` adds what the log itself showed,
 * from the moment its playing had ended, strictly before each row. A row's own play_time_ms and stay times are known only
 * after the impression: not features.
 */
export default defineConfig(({ data }) => {
  const log = `read_csv('${data}/log_standard_4_25_to_5_08_pure.csv.gz')`;
  const videos = `read_csv('${data}/video_features_basic_pure.csv.gz', types = {'tag': 'VARCHAR'})`;
  const rows = `
    WITH tag_of AS (SELECT map(list(CAST(video_id AS VARCHAR)), list(str_split(coalesce(tag, ''), ',')[1])) AS tags FROM ${videos}),
    lists AS (
      SELECT user_id, str_split(watch_seq, ' ') AS watched, str_split(like_seq, ' ') AS liked, str_split(long_watch_seq, ' ') AS long_watched
      FROM read_csv('${data}/user_sequences_to_4_24.csv.gz', types = {'watch_seq': 'VARCHAR', 'like_seq': 'VARCHAR', 'long_watch_seq': 'VARCHAR'})
    ),
    sequences AS (
      SELECT user_id, watched, liked, long_watched,
        list_transform(watched, lambda v: coalesce(tag_of.tags[v], '')) AS watched_tags,
        list_transform(watched, lambda v:
          CASE WHEN list_contains(coalesce(liked, []), v) THEN 'like' WHEN list_contains(coalesce(long_watched, []), v) THEN 'long' ELSE 'seen' END) AS watched_actions
      FROM lists, tag_of
    )
    SELECT log.*, users.* EXCLUDE (user_id), videos.* EXCLUDE (video_id, tag), str_split(CAST(videos.tag AS VARCHAR), ',') AS tags,
      sequences.* EXCLUDE (user_id),
      CAST(to_timestamp(log.time_ms / 1000) AS DATE) - CAST(videos.upload_dt AS DATE) AS video_age_days
    FROM ${log} AS log
    LEFT JOIN read_csv('${data}/user_features_pure.csv.gz') AS users USING (user_id)
    LEFT JOIN ${videos} AS videos USING (video_id)
    LEFT JOIN sequences USING (user_id)`;
  const seen = `
    SELECT log.*, str_split(coalesce(videos.tag, ''), ',')[1] AS first_tag,
      CASE WHEN is_like = 1 THEN 'like' WHEN long_view = 1 THEN 'long' WHEN is_click = 1 THEN 'click' ELSE 'seen' END AS action
    FROM ${log} AS log LEFT JOIN ${videos} AS videos USING (video_id)`;
  const tab = (number: number) => ({ source: { sql: rows }, where: `tab = ${number}` });
  const video = { type: 'vocabulary', minCount: 2 } as const;

  return {
    name: 'kuairand',
    // Rows of one user at one moment are one page load.
    keys: { request: `user_id || '-' || time_ms`, user: 'user_id', time: 'time_ms', timeUnit: 'ms' },
    surfaces: { tab_1: tab(1), tab_0: tab(0), tab_4: tab(4), tab_6: tab(6), tab_2: tab(2) },
    features: {
      user: { kind: 'categorical', side: 'request', column: 'user_id', encoding: { type: 'vocabulary', minCount: 5 } },
      user_active_degree: { kind: 'categorical', side: 'request' },
      is_lowactive_period: { kind: 'categorical', side: 'request' },
      is_live_streamer: { kind: 'categorical', side: 'request' },
      is_video_author: { kind: 'categorical', side: 'request' },
      follow_user_num_range: { kind: 'categorical', side: 'request' },
      fans_user_num_range: { kind: 'categorical', side: 'request' },
      friend_user_num_range: { kind: 'categorical', side: 'request' },
      register_days: { kind: 'number', side: 'request', encoding: { type: 'log' } },
      onehot_feat0: { kind: 'categorical', side: 'request' },
      onehot_feat1: { kind: 'categorical', side: 'request' },
      onehot_feat2: { kind: 'categorical', side: 'request' },
      onehot_feat3: { kind: 'categorical', side: 'request' },
      onehot_feat6: { kind: 'categorical', side: 'request' },
      onehot_feat7: { kind: 'categorical', side: 'request' },
      onehot_feat8: { kind: 'categorical', side: 'request' },
      hour: { kind: 'categorical', side: 'request', column: '(time_ms // 3600000 + 8) % 24' },
      watched: {
        kind: 'sequence',
        length: 50,
        fields: {
          video: { column: 'watched', table: 'video_id', encoding: video },
          tag: { column: 'watched_tags', table: 'tags' },
          action: { column: 'watched_actions', table: 'event_action' },
        },
      },
      liked: { kind: 'sequence', length: 50, fields: { video: { column: 'liked', table: 'video_id', encoding: video } } },
      long_watched: { kind: 'sequence', length: 50, fields: { video: { column: 'long_watched', table: 'video_id', encoding: video } } },
      // What the user was shown before, with what came of it: known when the playing ended.
      recent: {
        kind: 'sequence',
        length: 30,
        events: { source: { sql: seen }, user: 'user_id', time: 'time_ms + play_time_ms', timeUnit: 'ms' },
        fields: {
          video: { column: 'video_id', table: 'video_id', encoding: video },
          tag: { column: 'first_tag', table: 'tags' },
          action: { table: 'event_action' },
          tab: { column: 'tab', table: 'event_tab' },
          gap: { kind: 'time_gap' },
        },
      },
      video_id: { kind: 'categorical', side: 'candidate', encoding: video },
      author_id: { kind: 'categorical', side: 'candidate' },
      video_type: { kind: 'categorical', side: 'candidate' },
      upload_type: { kind: 'categorical', side: 'candidate' },
      music_id: { kind: 'categorical', side: 'candidate', encoding: { type: 'vocabulary', minCount: 10 } },
      music_type: { kind: 'categorical', side: 'candidate' },
      tags: { kind: 'multi', side: 'candidate', maxLength: 8 },
      duration: { kind: 'number', side: 'candidate', column: 'duration_ms', encoding: { type: 'bucket', count: 24 } },
      video_age_days: { kind: 'number', side: 'candidate', encoding: { type: 'bucket', count: 16 } },
    },
    tasks: {
      click: { label: 'is_click' },
      long_view: { label: 'long_view', weight: 0.5 },
      like: { label: 'is_like', weight: 0.2 },
    },
    split: {
      validationFrom: '2022-05-04T00:00:00+08:00',
      testFrom: '2022-05-06T00:00:00+08:00',
    },
    // The best of six settings for both models, chosen on the validation days (`npm run bench:sweep -- kuairand DATA`).
    training: { batchSize: 256, epochs: 4, warmupSteps: 30, evaluationsPerEpoch: 2, earlyStopping: { metric: 'logLoss', task: 'click', patience: 2 } },
    models: {
      separate: { preset: 'separate' },
      unified: { preset: 'unified' },
      full: {
        preset: 'unified',
        transformer: { layers: 1, width: 32, sequences: ['recent'] },
        projection: { width: 16 },
        experts: { count: 4, hidden: [64] },
      },
    },
    // The path from the tabs' own models to one. What each stage adds was chosen by its loss on the validation days; the limits are the
    // defaults. The tabs have the same features and cost the same per row, so all five unify at once.
    unify: {
      sharedLearning: { transformer: { layers: 1, width: 32, sequences: ['recent'] }, experts: { count: 4, hidden: [64] } },
      // Narrower embeddings, low-rank crosses, a smaller MLP and the projection pay for what was added.
      efficiency: { embedding: { width: 12 }, cross: { rank: 64 }, mlp: [64, 32], projection: { width: 16 } },
      surfaceAware: { tower: [32] },
    },
  };
});
