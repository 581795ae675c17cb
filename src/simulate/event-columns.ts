import type { ColumnSpec } from './column-buffer.js';
import type { Engagement } from './engagement-queue.js';
import type { World } from './marketplace-world.js';
import type { ParquetParts } from './parquet-parts.js';
import { ACTIONS, SURFACES } from './surface-definitions.js';

/** Columns of the events that histories are made of: a row is an engagement. */
export const eventColumns = (world: World): readonly ColumnSpec[] => [
  { name: 'user_id', type: { kind: 'int32' }, depth: 0 },
  { name: 'time', type: { kind: 'timestamp' }, depth: 0 },
  { name: 'pin_id', type: { kind: 'int32' }, depth: 0 },
  { name: 'topic', type: { kind: 'name', names: world.topics.names }, depth: 0 },
  { name: 'action', type: { kind: 'name', names: ACTIONS }, depth: 0 },
  { name: 'surface', type: { kind: 'name', names: SURFACES.map((surface) => surface.name) }, depth: 0 },
];

/** Writes engagements as rows. */
export const createEventWriter = (parts: ParquetParts): ((engagement: Engagement) => void) => {
  const user = parts.column('user_id');
  const time = parts.column('time');
  const pin = parts.column('pin_id');
  const topic = parts.column('topic');
  const action = parts.column('action');
  const surface = parts.column('surface');
  return (engagement) => {
    user.push(engagement.user + 1);
    time.push(engagement.timeMs);
    pin.push(engagement.pin);
    topic.push(engagement.topic);
    action.push(engagement.action);
    surface.push(engagement.surface);
  };
};
