/** What names of log columns usually mean. Patterns are tried on the name in snake case. */

const REQUEST = /^(?:request|req|impression|imp|query|search|pv|page_?view|list|slate|auction|trace)_?(?:id|uuid|key)$/;
const USER = /^(?:user|uid|member|visitor|viewer|customer|account|device|cookie|profile|person)(?:_?(?:id|uuid|key|hash|pseudo_?id))?$/;
const TIME = /^(?:(?:request|impression|event|server|log|view|exposure|show)_?)?(?:time|timestamp|ts|datetime|at)(?:_?(?:s|sec|ms|us|millis|utc))?$|^created_at$/;
const VIEW_TYPE = /^(?:view_?type|placement|page_?type|layout_?type|slot_?type|module)$/;
const POSITION = /^(?:.*_)?(?:pos|position|rank|ranking|slot|slot_?(?:id|index|number)|display_?(?:order|index)|item_?index)$/;

const ACTIONS =
  'click|clk|long_?click|long_?view|long_?read|long_?watch|like|dislike|follow|comment|forward|hate|share|save|repin|hide|report|buy|purchase|order|add_?to_?cart|cart|' +
  'convert|conversion|install|sign_?up|subscribe|profile_?enter|close_?up|skip|complete|finish|collect|favou?rite|bookmark|reply|retweet|engage|engagement|close|download';
const LABEL = new RegExp(`^(?:label|target|y)(?:_.*)?$|^(?:is_|has_|was_|did_)?(?:${ACTIONS})(?:s|ed|d|n)?(?:_?label)?$|^(?:clicked|liked|saved|hidden|purchased|bought|shared|followed)$`);
/** 0/1 facts about the user, the ad or the log, not what the user did. */
const ATTRIBUTE = /^(?:is|has)_(?:new|video|live|premium|promo|promoted|sponsored|ad|rand|random|weekend|holiday|mobile|member|vip|subscriber|logged|login|sso|author|streamer|active|low|adult|test|bot|organic|free|sale|discount|image|audio|lowactive)/;

/** Known only once the user has seen, or acted on, the ad. */
const AFTERWARDS =
  /^(?:play|watch|view|read|stay|dwell|viewing|watching|reading|playing|listen|profile_stay|comment_stay|hover|active|exposure)_?(?:time|duration|seconds|sec|ms|length|ratio|percent|percentage|progress)(?:_.*)?$|(?:^|_)(?:dwell|stay_?time|read_?time|watch_?time|play_?time|scroll(?:_?(?:percentage|percent|depth))?|completion(?:_?rate)?)(?:_|$)|^next_|^(?:click|conversion|purchase|install|close)_?(?:time|ts|timestamp|count|price|value|amount)(?:_|$)|^(?:revenue|gmv|spend|cost|charged?|payment|order_?(?:value|amount))$|_clicked$|_(?:after|post)_(?:click|impression)$|^watch_ratio$/;
/** Output of another model, or of the simulator. */
const PREDICTION = /^(?:p|prob|pred|predicted|prediction|probability|pctr|pcvr|ectr)(?:_.*)?$|(?:^|_)(?:predicted|prediction|pctr|pcvr)(?:_|$)/;

/** Ids by suffix, and things that are numbered rather than measured. */
const ID = new RegExp(
  '(?:^|_)(?:ids?|uuid|key|code|hash|zip|postcode|sku)$|(?:^|_)id_|(?:^|_)(?:user|ad|item|video|pin|photo|author|advertiser|brand|shop|seller|merchant|' +
    'campaign|creative|product|category|topic|tag|genre|music|song|artist|channel|creator|publisher|page|article|movie|board|type|format|device|tab)$',
);
const DATE = /(?:^|_)(?:date|dt|ds)$/;
const COUNT = /(?:^|_)(?:count|cnt|num|number|n|total|sum|age|days|hours|minutes|seconds|price|amount|cost|budget|bid|score|rate|ctr|cvr|ratio|duration|length|size|width|height|distance|views|impressions|likes|followers|rating|percent|ms)(?:_|$)/;
const REQUEST_SIDE = /^(?:user|viewer|member|visitor|customer|query|search|session|device|os|app|platform|browser|country|city|region|locale|lang|language|hour|hourmin|date|weekday|day_?of_?week|gender|age|network|connection|page|subject|context|history)(?:_|$)/;
const HISTORY = /(?:^|_)(?:history|hist|recent|past|last|seq|sequence|watched|viewed|visited)(?:_|$)/;

const snakeCase = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();

const means = (pattern: RegExp) => (name: string): boolean => pattern.test(snakeCase(name));

export const namesRequest = means(REQUEST);
export const namesUser = means(USER);
export const namesTime = means(TIME);
export const namesViewType = means(VIEW_TYPE);
export const namesPosition = means(POSITION);
export const namesAttribute = means(ATTRIBUTE);
export const namesAction = means(LABEL);
export const namesOutcome = means(AFTERWARDS);
export const namesPrediction = means(PREDICTION);
export const namesId = means(ID);
export const namesDate = means(DATE);
export const namesQuantity = means(COUNT);
export const namesRequestSide = means(REQUEST_SIDE);
export const namesHistory = means(HISTORY);

/** `is_click`, `clicked` and `click_label` are one task, `click`. */
export function taskName(column: string): string {
  const name = snakeCase(column).replace(/^(?:is|has|was|did)_/, '').replace(/_label$/, '').replace(/^label_/, '');
  const stems: Readonly<Record<string, string>> = {
    clicked: 'click', clicks: 'click', clk: 'click', liked: 'like', likes: 'like', saved: 'save', hidden: 'hide', shared: 'share', followed: 'follow',
    purchased: 'purchase', bought: 'purchase', buy: 'purchase', converted: 'conversion', convert: 'conversion',
  };
  const task = stems[name] ?? name;
  return /^[a-z]/.test(task) ? task : `task_${task}`;
}
