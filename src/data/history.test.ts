import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogWorkplace, homeConfig, LOG_START, type LogWorkplace } from '../../test/support/log-workplace.js';
import type { ProjectConfig } from '../config/project.js';
import { prepare } from './prepare.js';

let place: LogWorkplace;
beforeEach(() => {
  place = createLogWorkplace();
});
afterEach(() => place.remove());

interface Event {
  readonly user: number;
  /** Microseconds after {@link LOG_START}: finer than the milliseconds that are kept. */
  readonly at: number;
}

const lines = (file: string, rows: readonly object[]): void => writeFileSync(place.path(file), rows.map((row) => JSON.stringify(row)).join('\n'));

const START_US = LOG_START * 1000;

const sequences = (long: number, short: number): ProjectConfig => ({
  ...homeConfig,
  keys: { timeUnit: 'us' },
  surfaces: { home: { source: { files: 'home.jsonl' } }, search: { source: { files: 'search.jsonl' } } },
  features: {
    ad: { kind: 'categorical', side: 'candidate' },
    viewed: { kind: 'sequence', length: long, fields: { id: { encoding: { type: 'hash', buckets: 10 } }, kind: { column: 'type' }, gap: { kind: 'time_gap' } }, events: { source: { files: 'events.jsonl' }, timeUnit: 'us' } },
    liked: {
      kind: 'sequence',
      surfaces: ['search'],
      length: short,
      fields: { id: {} },
      events: { source: { files: 'events.jsonl' }, where: "type = 'like'", timeUnit: 'us' },
    },
  },
  split: { validationFrom: '2030-01-01', testFrom: '2031-01-01' },
});

const event = fc.record({ user: fc.integer({ min: 0, max: 3 }), at: fc.integer({ min: 0, max: 40_000 }) });

test('histories are the newest events strictly before each request', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 60 }),
      fc.array(event, { minLength: 2, maxLength: 12 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 4 }),
      async (events, requests, long, short) => {
        const typed = events.map((entry: Event, index) => ({ ...entry, id: `e${index}`, type: index % 3 === 0 ? 'like' : 'view' }));
        lines('events.jsonl', typed.map((entry) => ({ user_id: `u${entry.user}`, time: START_US + entry.at, id: entry.id, type: entry.type })));
        const rows = requests.map((entry: Event, index) => ({ request_id: `r${index}`, user_id: `u${entry.user}`, time: START_US + entry.at, ad: 'a', click: index % 2 }));
        // Both surfaces need a request.
        lines('home.jsonl', rows.filter((_, index) => index % 2 === 0));
        lines('search.jsonl', rows.filter((_, index) => index % 2 === 1));
        const prepared = await prepare(place.project(sequences(long, short)), { force: true });

        for (const [surface, parity] of [['home', 0], ['search', 1]] as const) {
          const raw = await place.rows<Record<string, unknown>>(`SELECT * FROM '@/work/prepared/${prepared.rawRows[surface]!.path}'`);
          expect(raw).toHaveLength(requests.filter((_, index) => index % 2 === parity).length);
          for (const row of raw) {
            const request = requests[Number((row['@request_id'] as string).slice(1))]!;
            const before = typed.filter((entry) => entry.user === request.user && entry.at < request.at).sort((a, b) => a.at - b.at);
            const newest = before.slice(-long);
            expect(row['viewed.id']).toEqual(newest.map((entry) => entry.id));
            expect(row['viewed.kind']).toEqual(newest.map((entry) => entry.type));
            expect(row['viewed.@time']).toEqual(newest.map((entry) => LOG_START + Math.floor(entry.at / 1000)));
            if (surface === 'home') expect(row).not.toHaveProperty(['liked.id']);
            else expect(row['liked.id']).toEqual(before.filter((entry) => entry.type === 'like').slice(-short).map((entry) => entry.id));
          }
        }
      },
    ),
    { numRuns: 12 },
  );
});

test('in-row histories keep their newest events', async () => {
  lines(
    'home.jsonl',
    Array.from({ length: 10 }, (_, index) => ({
      request_id: `r${index}`,
      user_id: 'u',
      time: LOG_START + index * 1000,
      ad: 'a',
      click: 1,
      seen: index === 9 ? null : Array.from({ length: index }, (__, k) => k),
      seen_at: index === 9 ? null : Array.from({ length: index }, (__, k) => LOG_START / 1000 + k - 5),
    })),
  );
  const prepared = await prepare(
    place.project({
      ...homeConfig,
      surfaces: { home: { source: { files: 'home.jsonl' } } },
      features: { ad: { kind: 'categorical', side: 'candidate' }, seen: { kind: 'sequence', length: 3, time: 'seen_at', timeUnit: 's', fields: { id: { column: 'seen' }, gap: { kind: 'time_gap' } } } },
      split: { validationFrom: '2030-01-01', testFrom: '2031-01-01' },
    }),
  );
  const raw = await place.rows<Record<string, unknown>>(`SELECT "seen.id", "seen.@time" FROM '@/work/prepared/${prepared.rawRows['home']!.path}'`);
  expect(raw[1]).toEqual({ 'seen.id': ['0'], 'seen.@time': [LOG_START - 5000] });
  expect(raw[5]).toEqual({ 'seen.id': ['2', '3', '4'], 'seen.@time': [-3, -2, -1].map((second) => LOG_START + second * 1000) });
  expect(raw[9]).toEqual({ 'seen.id': [], 'seen.@time': [] });
});
