import { defineConfig } from 'onefold/config';

/**
 * EB-NeRD (demo): the front page and the article page of a newspaper as two surfaces, the device as view type.
 *
 * Leakage: read_time and scroll_percentage describe the page the list was shown on and are known only after the
 * impression; they are not read. Counts of an article use full hours that ended before the impression's hour began, as
 * an hourly counter in production would know them. Histories end before the split they belong to; `picked` adds what the
 * user clicked in earlier lists, strictly before each request: the click is logged with its list's time, so a list that
 * was opened before an older one was clicked would know a little too early.
 *
 * No article ids: most articles of the validation week did not exist in the training week, and a model that can
 * memorize ids overfits within half an epoch. What an article is shows in its counters, its length and its age.
 */
export default defineConfig(({ data }) => {
  const behaviors = `(
    SELECT * FROM read_parquet(['${data}/train_behaviors.parquet', '${data}/validation_behaviors.parquet']))`;
  const rows = `
    WITH impressions AS (
      SELECT impression_id, impression_time, date_trunc('hour', impression_time) AS hour_start, article_id AS page_article, device_type,
        user_id, is_sso_user, gender, postcode, age, is_subscriber, session_id, next_read_time, article_ids_clicked, len(article_ids_inview) AS shown,
        unnest(article_ids_inview) AS article
      FROM ${behaviors}
    ),
    hourly AS (
      SELECT article, hour_start, count(*) AS views, count(*) FILTER (list_contains(article_ids_clicked, article)) AS clicks
      FROM impressions GROUP BY ALL
    ),
    -- Windows end where the hour begins: they hold only the hours before it. A day at most, so that a count means the
    -- same in the first week of the logs as in the second.
    counters AS (
      SELECT article, hour_start, first_value(hour_start) OVER whole AS first_seen,
        coalesce(sum(views) OVER day, 0) AS views, coalesce(sum(clicks) OVER day, 0) AS clicks,
        coalesce(sum(views) OVER recent, 0) AS recent_views, coalesce(sum(clicks) OVER recent, 0) AS recent_clicks
      FROM hourly
      WINDOW whole AS (PARTITION BY article ORDER BY hour_start),
        day AS (PARTITION BY article ORDER BY hour_start RANGE BETWEEN INTERVAL 24 HOURS PRECEDING AND INTERVAL 1 HOUR PRECEDING),
        recent AS (PARTITION BY article ORDER BY hour_start RANGE BETWEEN INTERVAL 3 HOURS PRECEDING AND INTERVAL 1 HOUR PRECEDING)
    )
    SELECT impressions.*, articles.premium, articles.article_length,
      list_contains(article_ids_clicked, impressions.article) AS clicked,
      CASE WHEN NOT list_contains(article_ids_clicked, impressions.article) THEN 0 WHEN next_read_time IS NULL THEN NULL ELSE CAST(next_read_time >= 30 AS INTEGER) END AS long_read,
      counters.views, (counters.clicks + 2) / (counters.views + 20) AS click_rate,
      counters.recent_views, (counters.recent_clicks + 1) / (counters.recent_views + 10) AS recent_click_rate,
      least(24, date_diff('hour', counters.first_seen, impressions.hour_start)) AS hours_seen,
      impressions.article - page_article AS newer_than_page,
      rank() OVER (PARTITION BY impression_id ORDER BY (counters.recent_clicks + 1) / (counters.recent_views + 10) DESC) AS popularity_rank,
      rank() OVER (PARTITION BY impression_id ORDER BY impressions.article DESC) AS newness_rank
    FROM impressions
    JOIN counters USING (article, hour_start)
    LEFT JOIN read_csv('${data}/articles_partial.csv.gz') AS articles ON articles.article_id = impressions.article
    ORDER BY impression_id, impressions.article`;
  const picked = `SELECT * FROM (${rows}) WHERE clicked`;
  const clicks = `
    SELECT user_id, unnest(impression_time_fixed) AS time, unnest(article_id_fixed) AS article, unnest(read_time_fixed) AS read_time,
      unnest(scroll_percentage_fixed) AS scroll
    FROM read_parquet('${data}/HISTORY')`;
  const history = `
    WITH clicks AS (${clicks.replace('HISTORY', 'train_history.parquet')} UNION ${clicks.replace('HISTORY', 'validation_history.parquet')})
    SELECT clicks.*, articles.premium, CAST(least(5, floor(log2(1 + coalesce(read_time, 0)))) AS INTEGER) AS read_bucket,
      CAST(floor(2 * log2(1 + coalesce(article_length, 0))) AS INTEGER) AS length_bucket
    FROM clicks LEFT JOIN read_csv('${data}/articles_partial.csv.gz') AS articles ON articles.article_id = clicks.article
    -- Clicks of one moment, too, stand in one order every time: a UNION by itself has none.
    ORDER BY user_id, time, article, read_time, scroll`;

  return {
    name: 'ebnerd',
    keys: { request: 'impression_id', user: 'user_id', time: 'impression_time' },
    surfaces: {
      front_page: { source: { sql: rows }, where: 'page_article IS NULL', viewType: `['desktop', 'mobile', 'tablet'][device_type]`, viewTypes: ['desktop', 'mobile', 'tablet'] },
      article_page: { source: { sql: rows }, where: 'page_article IS NOT NULL', viewType: `['desktop', 'mobile', 'tablet'][device_type]`, viewTypes: ['desktop', 'mobile', 'tablet'] },
    },
    features: {
      is_sso_user: { kind: 'categorical', side: 'request' },
      is_subscriber: { kind: 'categorical', side: 'request' },
      gender: { kind: 'categorical', side: 'request' },
      postcode: { kind: 'categorical', side: 'request' },
      age: { kind: 'categorical', side: 'request' },
      hour: { kind: 'categorical', side: 'request', column: 'hour(impression_time)' },
      shown: { kind: 'number', side: 'request', encoding: { type: 'bucket', count: 16 } },
      newer_than_page: { kind: 'number', side: 'candidate', surfaces: ['article_page'], encoding: { type: 'quantile' } },
      history: {
        kind: 'sequence',
        length: 50,
        events: { source: { sql: history }, user: 'user_id', time: 'time' },
        fields: {
          premium: { table: 'premium' },
          read: { column: 'read_bucket' },
          length: { column: 'length_bucket', table: 'length_bucket' },
          gap: { kind: 'time_gap' },
        },
      },
      // What the user picked from the lists shown before this one: the newest, the most read, a long one?
      picked: {
        kind: 'sequence',
        // Few: longer lists reach further back in the test week than any did in training.
        length: 8,
        events: { source: { sql: picked }, user: 'user_id', time: 'impression_time' },
        fields: {
          popularity: { column: 'least(popularity_rank, 16)' },
          newness: { column: 'least(newness_rank, 16)' },
          rate: { column: 'CAST(round(40 * recent_click_rate) AS INTEGER)' },
          premium: { table: 'premium' },
          length: { column: 'CAST(floor(2 * log2(1 + coalesce(article_length, 0))) AS INTEGER)', table: 'length_bucket' },
          page: { column: "CASE WHEN page_article IS NULL THEN 'front' ELSE 'article' END" },
          device: { column: 'device_type' },
          gap: { kind: 'time_gap' },
        },
      },
      premium: { kind: 'categorical', side: 'candidate' },
      article_length: { kind: 'number', side: 'candidate', encoding: { type: 'quantile' } },
      views: { kind: 'number', side: 'candidate', encoding: { type: 'log' } },
      click_rate: { kind: 'number', side: 'candidate', encoding: { type: 'quantile' } },
      recent_views: { kind: 'number', side: 'candidate', encoding: { type: 'log' } },
      recent_click_rate: { kind: 'number', side: 'candidate', encoding: { type: 'quantile' } },
      hours_seen: { kind: 'number', side: 'candidate', encoding: { type: 'log' } },
      popularity_rank: { kind: 'number', side: 'candidate', encoding: { type: 'bucket', count: 24 } },
      newness_rank: { kind: 'number', side: 'candidate', encoding: { type: 'bucket', count: 24 } },
    },
    tasks: {
      click: { label: 'clicked' },
      long_read: { label: 'long_read', weight: 0.3 },
    },
    // Train on the train week but its last two days, which choose settings and epoch; report on the validation week.
    split: { validationFrom: '2023-05-23T07:00:00', testFrom: '2023-05-25T07:00:00' },
    // The setting of the sweep with the lowest loss on the validation days, for both models (docs/results.md).
    training: {
      batchSize: 512,
      epochs: 8,
      warmupSteps: 30,
      evaluationsPerEpoch: 2,
      earlyStopping: { metric: 'logLoss', task: 'click', patience: 2 },
      weightDecay: 0.05,
      embeddingWeightDecay: 1e-5,
    },
    models: {
      separate: { preset: 'separate', embedding: { width: 8 } },
      unified: { preset: 'unified', embedding: { width: 8 } },
      // Small: 17,000 training requests carry no more. What is read is 16 wide already: a projection saved nothing and
      // lost on the validation days.
      full: {
        preset: 'unified',
        embedding: { width: 8 },
        transformer: { layers: 1, width: 16, sequences: ['picked'], read: 'candidate', dropout: 0.2 },
        experts: { count: 4, hidden: [32] },
      },
    },
    // The path from the two pages' own models to one. What each stage adds was chosen by its loss on the validation days; the limits
    // are the defaults.
    unify: {
      sharedLearning: {
        transformer: { layers: 1, width: 16, sequences: ['picked'], read: 'candidate', dropout: 0.2 },
        experts: { count: 4, hidden: [32] },
      },
      // One low-rank layer of crosses, a smaller MLP and three experts pay for what was added. No projection: 16 numbers need none.
      efficiency: { cross: { layers: 1, rank: 32 }, mlp: [64, 32], experts: { count: 3 } },
      surfaceAware: { tower: [16] },
      // Around the settings above, the same ones for the pages' own models and the unified one.
      sweep: {
        trials: 3,
        settings: {
          'training.learningRate': [5e-4, 1e-3, 2e-3],
          'training.embeddingLearningRate': [0.02, 0.05, 0.1],
          dropout: [0, 0.1, 0.2],
        },
      },
    },
  };
});
