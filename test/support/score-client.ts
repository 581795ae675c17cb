/** Golden requests over `POST /v1/score`, and what their answers must be. */
import { expect } from 'vitest';
import type { RawColumn } from '../../src/data/raw-column.js';
import type { RawInput } from '../../src/serve/raw-request.js';
import { valueOf, type GoldenRequest } from './served-shop.js';

/** A value that may be missing. */
const given = (column: RawColumn, row: number): unknown => (column.type === 'list' && !column.valid(row) ? null : valueOf(column, row));

/** A golden request as JSON. */
export const scoreBody = (surface: string, { rows, from, to, ...request }: GoldenRequest, inputs: readonly RawInput[]): Readonly<Record<string, unknown>> => {
  const side = (wanted: RawInput['side'], row: number): Readonly<Record<string, unknown>> =>
    Object.fromEntries(inputs.filter((input) => input.side === wanted).map(({ name }) => [name, given(rows.columns.get(name)!, row)]));
  return {
    surface,
    viewType: request.viewType,
    requestId: request.requestId,
    time: request.time,
    features: side('request', from),
    candidates: Array.from({ length: to - from }, (_, index) => side('candidate', from + index)),
  };
};

export interface ScoreAnswer {
  readonly status: number;
  readonly body: {
    readonly surface: string;
    readonly version: string;
    readonly requestId?: string;
    readonly scores: Readonly<Record<string, readonly number[]>>;
    readonly defaulted: readonly { readonly feature: string; readonly reason: string; readonly rows: number }[];
    readonly degraded: readonly string[];
    readonly error?: { readonly code: string; readonly path?: string; readonly message: string };
  };
}

/** Posts JSON. */
export const post = async (url: string, body: unknown, init: RequestInit = {}): Promise<ScoreAnswer> => {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...init });
  return { status: response.status, body: (await response.json()) as ScoreAnswer['body'] };
};

/** Holds an answer against what the export predicted offline. */
export const expectScores = ({ status, body }: ScoreAnswer, { scores }: GoldenRequest): void => {
  expect(status, JSON.stringify(body)).toBe(200);
  for (const [task, expected] of Object.entries(scores)) {
    expect(body.scores[task]).toHaveLength(expected.length);
    expected.forEach((value, index) => expect(Math.abs(body.scores[task]![index]! - value)).toBeLessThanOrEqual(1e-5));
  }
};

/** Value of a metric with these labels, 0 where it is not there. */
export const metricOf = async (admin: string, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> => {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const wanted = lines.filter((line) => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)));
  return wanted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
};
