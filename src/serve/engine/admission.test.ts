import { describe, expect, it } from 'vitest';
import { RequestError } from '../request-error.js';
import { Admission } from './admission.js';

const LIMITS = { maxQueue: 100, maxWaitMs: 50 };

const admissionWith = (requestMs: number, priorities: readonly number[] = [0]): Admission => {
  const admission = new Admission(LIMITS, priorities);
  admission.ran(4, 4 * requestMs);
  return admission;
};

const refused = (run: () => void): RequestError | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError);
    return error as RequestError;
  }
};

describe('Admission', () => {
  it('foresees the wait from what runs took', () => {
    const admission = admissionWith(2);
    expect(admission.waitMs({ waiting: 30, workers: 2 })).toBe(30);
    for (let run = 0; run < 100; run += 1) admission.ran(1, 4);
    expect(admission.waitMs({ waiting: 30, workers: 2 })).toBeCloseTo(60, 1);
  });

  it('refuses what would wait too long, and says when to come again', () => {
    const admission = admissionWith(2);
    expect(refused(() => admission.admit(0, 1000, { waiting: 25, workers: 1 }))).toBeUndefined();
    const error = refused(() => admission.admit(0, 1000, { waiting: 26, workers: 1 }))!;
    expect([error.code, error.retryAfter]).toEqual(['overloaded', 1]);
    expect(refused(() => admissionWith(100).admit(0, 1e6, { waiting: 90, workers: 1 }))!.retryAfter).toBe(9);
  });

  it('refuses what could not be answered before its deadline', () => {
    const admission = admissionWith(2);
    expect(refused(() => admission.admit(0, 9, { waiting: 5, workers: 1 }))?.code).toBe('overloaded');
    expect(refused(() => admission.admit(0, 11, { waiting: 5, workers: 1 }))).toBeUndefined();
  });

  it('bounds the queue even where runs are quick', () => {
    const admission = admissionWith(0.001);
    expect(refused(() => admission.admit(0, 1000, { waiting: 99, workers: 1 }))).toBeUndefined();
    expect(refused(() => admission.admit(0, 1000, { waiting: 100, workers: 1 }))?.code).toBe('overloaded');
    expect(admission.isFull({ waiting: 100, workers: 1 })).toBe(true);
  });

  it('takes a call of several requests whole, or not', () => {
    const admission = admissionWith(2, [0, 1]);
    const codeOf = (requests: number, waiting: number, priority = 1): string | undefined => refused(() => admission.admit(priority, 1000, { waiting, workers: 1 }, requests))?.code;
    // What they wait for each other does not count, what others make them wait does.
    expect([codeOf(100, 0), codeOf(90, 10), codeOf(1, 25)]).toEqual([undefined, undefined, undefined]);
    expect([codeOf(91, 10), codeOf(2, 26)]).toEqual(['overloaded', 'overloaded']);
    // Trying again would not help.
    expect([codeOf(101, 0), codeOf(101, 50), codeOf(51, 0, 0), codeOf(50, 0, 0)]).toEqual(['too_large', 'too_large', 'too_large', undefined]);
  });

  it('keeps half of its room for the more important', () => {
    const admission = admissionWith(1, [0, 1, 2]);
    const admits = (priority: number, waiting: number): boolean => refused(() => admission.admit(priority, 1000, { waiting, workers: 1 })) === undefined;
    expect([admits(0, 26), admits(1, 26), admits(2, 26)]).toEqual([false, true, true]);
    expect([admits(1, 38), admits(2, 38), admits(2, 51)]).toEqual([false, true, false]);
  });
});
