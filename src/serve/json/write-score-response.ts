/** The answer to `POST /v1/score`. */
import type { ScoredRequest } from '../raw-request.js';
import { scoresText } from './scores-text.js';

/** What was scored as JSON. */
export const writeScoreResponse = ({ surface, version, scores, defaulted, ignored, degraded }: ScoredRequest, requestId: string | undefined): string => {
  const head = JSON.stringify({ surface, version, ...(requestId === undefined ? {} : { requestId }) });
  const tail = JSON.stringify({ defaulted, ignored, degraded });
  const tasks = Object.entries(scores).map(([task, values]) => `${JSON.stringify(task)}:${scoresText(values)}`);
  return `${head.slice(0, -1)},"scores":{${tasks.join(',')}},${tail.slice(1)}`;
};
