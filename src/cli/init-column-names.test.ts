import { expect, test } from 'vitest';
import * as names from './init-column-names.js';

const cases: readonly (readonly [keyof typeof names, readonly string[], readonly string[]])[] = [
  ['namesRequest', ['request_id', 'requestId', 'impression_id', 'query_id', 'search_uuid', 'pv_id'], ['ad_id', 'user_id', 'query', 'request_time']],
  ['namesUser', ['user_id', 'userId', 'uid', 'user', 'visitor_id', 'member_key'], ['user_age', 'ad_id', 'users_online']],
  ['namesTime', ['time', 'ts', 'timestamp', 'time_ms', 'event_time', 'impression_time', 'created_at'], ['read_time', 'play_time_ms', 'times_shown']],
  ['namesPosition', ['position', 'pos', 'ad_position', 'rank', 'slot_index'], ['post', 'rank_score', 'positive']],
  ['namesAction', ['click', 'clicked', 'is_click', 'isClick', 'long_view', 'label', 'label_click', 'is_profile_enter', 'saved', 'hide'], ['clicks_7d', 'is_new', 'view', 'targeting_type', 'year']],
  ['namesAttribute', ['is_new_user', 'is_video', 'has_video', 'is_subscriber'], ['is_click', 'is_like']],
  [
    'namesOutcome',
    ['play_time', 'play_time_ms', 'dwell', 'dwell_time', 'read_time', 'profile_stay_time', 'scroll_percentage', 'next_read_time', 'watch_ratio', 'article_ids_clicked', 'revenue'],
    ['duration_ms', 'video_duration', 'time', 'view_type', 'price', 'reading_level', 'active_days'],
  ],
  ['namesPrediction', ['p_click', 'pctr', 'predicted_ctr', 'ad_pcvr'], ['price', 'platform', 'page']],
  ['namesId', ['ad_id', 'adId', 'subject_pin', 'advertiser', 'zip', 'topic_ids'], ['price', 'age', 'idle_days']],
  ['namesQuantity', ['num_items', 'view_count', 'price_cents_amount', 'age', 'ctr_7d', 'account_age_days'], ['format', 'brand']],
  ['namesRequestSide', ['user_age', 'query', 'device', 'hour', 'country_code'], ['ad_id', 'price', 'title']],
  ['namesHistory', ['history', 'recent_ads', 'watched_ids', 'click_seq'], ['topics', 'tags']],
  ['namesDate', ['date', 'upload_dt', 'published_date'], ['update', 'days']],
];

test.each(cases.flatMap(([test_, yes, no]) => [...yes.map((name) => [test_, name, true] as const), ...no.map((name) => [test_, name, false] as const)]))(
  '%s(%s) is %s',
  (test_, name, expected) => {
    expect((names[test_] as (name: string) => boolean)(name)).toBe(expected);
  },
);

test.each([
  ['is_click', 'click'],
  ['clicked', 'click'],
  ['label_like', 'like'],
  ['LongView', 'long_view'],
  ['read_time > 30', 'read_time_30'],
  ['1st', 'task_1st'],
])('the task of %s is %s', (column, task) => {
  expect(names.taskName(column)).toBe(task);
});
