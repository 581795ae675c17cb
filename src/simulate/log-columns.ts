import { DECLARED, NONE } from './audience.js';
import { CREATIVE_SIZE } from './catalogue.js';
import type { ColumnBuffer, ColumnSpec, ValueType } from './column-buffer.js';
import { organicPinId } from './engagements.js';
import type { World } from './marketplace-world.js';
import type { ParquetParts } from './parquet-parts.js';
import type { RequestState } from './request-state.js';
import { AGE_BUCKETS, COUNTRIES, DEVICES, FORMATS, TASKS, tasksOf } from './surface-definitions.js';
import type { SurfaceDefinition } from './surface-definitions.js';

const INT: ValueType = { kind: 'int32' };
const FLOAT: ValueType = { kind: 'float' };
const TIME: ValueType = { kind: 'timestamp' };
const names = (values: readonly string[]): ValueType => ({ kind: 'name', names: values });

/** Columns of a surface's log: a row is a request, its candidates' columns are lists in the order shown. */
export const logColumns = (world: World, surface: SurfaceDefinition): readonly ColumnSpec[] => {
  const { topics, catalogue } = world;
  const topic = names(topics.names);
  const request = (name: string, type: ValueType): ColumnSpec => ({ name, type, depth: 0 });
  const candidate = (name: string, type: ValueType): ColumnSpec => ({ name, type, depth: 1 });
  return [
    request('request_id', INT),
    request('user_id', INT),
    request('time', TIME),
    request('hour', INT),
    request('view_type', names(surface.viewTypes.map((view) => view.name))),
    request('device', names(DEVICES)),
    request('country', names(COUNTRIES)),
    request('age_bucket', names(AGE_BUCKETS)),
    request('price_sensitivity', FLOAT),
    request('account_age_days', FLOAT),
    { name: 'declared_interests', type: topic, depth: 1 },
    ...(surface.name === 'search' ? [request('query', names(catalogue.queryNames)), request('query_length', INT)] : []),
    ...(surface.name === 'related_pins' ? [request('subject_pin', INT), request('subject_topic', topic)] : []),
    candidate('ad_id', INT),
    candidate('advertiser', INT),
    candidate('topic', topic),
    candidate('format', names(FORMATS)),
    candidate('price', FLOAT),
    candidate('ad_age_days', FLOAT),
    { name: 'creative', type: FLOAT, depth: 2 },
    { name: 'tags', type: names(catalogue.tagNames), depth: 2 },
    candidate('position', INT),
    ...tasksOf(surface).map((task) => candidate(task, INT)),
    ...tasksOf(surface).map((task) => candidate(`p_${task}`, FLOAT)),
  ];
};

const pushOrNull = (column: ColumnBuffer, value: number): void => {
  if (Number.isNaN(value)) column.pushNull();
  else column.push(value);
};

/** Writes requests of one surface as rows. */
export type RequestWriter = (request: RequestState, requestId: number) => void;

export const createRequestWriter = (world: World, surface: SurfaceDefinition, parts: ParquetParts): RequestWriter => {
  const { audience, catalogue } = world;
  const to = (name: string): ColumnBuffer => parts.column(name);
  const requestId = to('request_id');
  const userId = to('user_id');
  const time = to('time');
  const hour = to('hour');
  const viewType = to('view_type');
  const device = to('device');
  const country = to('country');
  const age = to('age_bucket');
  const sensitivity = to('price_sensitivity');
  const accountAge = to('account_age_days');
  const declared = to('declared_interests');
  const query = surface.name === 'search' ? { id: to('query'), length: to('query_length') } : undefined;
  const subject = surface.name === 'related_pins' ? { pin: to('subject_pin'), topic: to('subject_topic') } : undefined;
  const adId = to('ad_id');
  const advertiser = to('advertiser');
  const topic = to('topic');
  const format = to('format');
  const price = to('price');
  const adAge = to('ad_age_days');
  const creative = to('creative');
  const tags = to('tags');
  const position = to('position');
  const tasks = tasksOf(surface).map((task) => TASKS.indexOf(task));
  const labels = tasksOf(surface).map(to);
  const truths = tasksOf(surface).map((task) => to(`p_${task}`));
  const lists = [adId, advertiser, topic, format, price, adAge, creative, tags, position, ...labels, ...truths];

  const writeUser = (user: number, day: number): void => {
    userId.push(user + 1);
    country.push(audience.country[user]!);
    if (audience.age[user] === AGE_BUCKETS.length) age.pushNull();
    else age.push(audience.age[user]!);
    pushOrNull(sensitivity, audience.sensitivityShown[user]!);
    accountAge.push(Math.floor(audience.accountAgeDays[user]! + day));
    if (audience.declared[user * DECLARED] === NONE) declared.nullRow();
    else {
      for (let i = user * DECLARED; i < (user + 1) * DECLARED && audience.declared[i] !== NONE; i++) declared.push(audience.declared[i]!);
      declared.endRow();
    }
  };

  const writeAd = (ad: number, day: number): void => {
    adId.push(ad + 1);
    advertiser.push(catalogue.advertiser[ad]! + 1);
    topic.push(catalogue.topic[ad]!);
    format.push(catalogue.format[ad]!);
    pushOrNull(price, catalogue.price[ad]!);
    adAge.push(Math.round(100 * (day - catalogue.launchDay[ad]!)) / 100);
    for (let i = ad * CREATIVE_SIZE; i < (ad + 1) * CREATIVE_SIZE; i++) creative.push(catalogue.creative[i]!);
    creative.endInner();
    for (let i = catalogue.tagOffsets[ad]!; i < catalogue.tagOffsets[ad + 1]!; i++) tags.push(catalogue.tags[i]!);
    tags.endInner();
  };

  return (request, id) => {
    requestId.push(id);
    time.push(request.timeMs);
    hour.push(request.hour);
    viewType.push(request.viewType);
    device.push(request.device);
    writeUser(request.user, request.day);
    query?.id.push(request.query);
    query?.length.push(catalogue.queryLength[request.query]!);
    subject?.pin.push(organicPinId(world, request.subjectPin));
    subject?.topic.push(request.contextTopic);
    for (let i = 0; i < request.count; i++) {
      writeAd(request.ad[i]!, request.day);
      position.push(i + 1);
      for (let t = 0; t < tasks.length; t++) {
        labels[t]!.push(request.label[tasks[t]!]![i]!);
        truths[t]!.push(request.probability[tasks[t]!]![i]!);
      }
    }
    for (const list of lists) list.endRow();
  };
};
