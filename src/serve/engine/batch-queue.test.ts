import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchQueue, type Queued } from './batch-queue.js';

const LIMITS = { maxRequests: 4, maxCandidates: 100 };

interface Entry extends Queued {
  readonly name: string;
}

const entry = (name: string, over: Partial<Queued> = {}): Entry => ({ name, key: 'a', priority: 0, candidates: 10, events: 5, since: 0, ...over });

const namesOf = (entries: readonly Entry[]): readonly string[] => entries.map(({ name }) => name);

const queueOf = (...entries: readonly Entry[]): BatchQueue<Entry> => {
  const queue = new BatchQueue<Entry>(LIMITS);
  for (const one of entries) queue.push(one);
  return queue;
};

describe('BatchQueue', () => {
  it('gives those of one version together, within its limits', () => {
    const queue = queueOf(entry('1'), entry('2', { key: 'b' }), entry('3'), entry('4'), entry('5'), entry('6'));
    expect(namesOf(queue.take())).toEqual(['1', '3', '4', '5']);
    expect([queue.size, queue.candidates]).toEqual([2, 20]);
    expect(namesOf(queue.take())).toEqual(['2']);
    expect(namesOf(queue.take())).toEqual(['6']);
    expect(queue.take()).toEqual([]);
  });

  it('bounds the candidates of a run, but for a request that has more by itself', () => {
    const queue = queueOf(entry('1', { candidates: 500 }), entry('2', { candidates: 60 }), entry('3', { candidates: 60 }), entry('4', { candidates: 30 }));
    expect(namesOf(queue.take())).toEqual(['1']);
    expect(namesOf(queue.take())).toEqual(['2', '4']);
    expect(namesOf(queue.take())).toEqual(['3']);
  });

  it('takes the more important first, then those that came first', () => {
    const queue = queueOf(entry('low', { key: 'b' }), entry('high', { priority: 2, key: 'c' }), entry('mid', { priority: 1 }), entry('mid too', { priority: 1 }));
    expect([queue.take(), queue.take(), queue.take()].map(namesOf)).toEqual([['high'], ['mid', 'mid too'], ['low']]);
  });

  it('does not pad short histories to a long one', () => {
    const queue = queueOf(entry('long', { events: 2000 }), entry('short', { events: 20 }), entry('long too', { events: 1900 }), entry('short too', { events: 22 }));
    expect(namesOf(queue.take())).toEqual(['long', 'long too']);
    expect(namesOf(queue.take())).toEqual(['short', 'short too']);
  });

  it('knows the least of all, whatever goes first', () => {
    const queue = queueOf(entry('high', { priority: 1, since: 3 }), entry('low', { since: 1 }));
    expect(queue.least(({ since }) => since)).toBe(1);
    expect(queueOf().least(({ since }) => since)).toBe(Infinity);
  });

  it('puts a request that has waited before in front of its priority', () => {
    const queue = queueOf(entry('1', { key: 'b' }));
    queue.push(entry('again', { key: 'c' }), true);
    expect(namesOf(queue.take())).toEqual(['again']);
  });

  it('loses and doubles nothing, whatever comes and goes', () => {
    const entries = fc.array(
      fc.record({ key: fc.constantFrom('a', 'b'), priority: fc.integer({ min: 0, max: 2 }), candidates: fc.integer({ min: 1, max: 200 }), events: fc.integer({ min: 0, max: 300 }), since: fc.constant(0) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(entries, fc.array(fc.constantFrom('take', 'remove')), (all, actions) => {
        const queue = queueOf(...all.map((one, index) => ({ ...one, name: String(index) })));
        const seen: string[] = [];
        for (const action of actions) seen.push(...namesOf(action === 'take' ? queue.take() : queue.remove(({ candidates }) => candidates > 150)));
        for (let batch = queue.take(); batch.length > 0; batch = queue.take()) {
          expect(new Set(batch.map(({ key }) => key)).size).toBe(1);
          expect(batch.length).toBeLessThanOrEqual(LIMITS.maxRequests);
          if (batch.length > 1) expect(batch.reduce((sum, { candidates }) => sum + candidates, 0)).toBeLessThanOrEqual(LIMITS.maxCandidates);
          seen.push(...namesOf(batch));
        }
        expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(all.map((_, index) => String(index)));
        expect([queue.size, queue.candidates]).toEqual([0, 0]);
      }),
    );
  });
});
