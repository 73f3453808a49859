import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CompiledRestartStrategy } from '../job/compile-settings.js';
import { describeStrategy, NO_FAILURES, onFailure, type RestartDecision, type RestartHistory } from './restart-strategy.js';

/** What becomes of failures at these times, one after the other. */
function decide(strategy: CompiledRestartStrategy, times: readonly number[], random = 0.5): RestartDecision[] {
  let history: RestartHistory = NO_FAILURES;
  return times.map((now) => {
    const step = onFailure(strategy, history, now, random);
    history = step.history;
    return step.decision;
  });
}
const restart = (afterMs: number): RestartDecision => ({ type: 'restart', afterMs });
const giveUp: RestartDecision = { type: 'give-up' };

describe('none', () => {
  it('gives up at the first failure', () => {
    expect(decide({ type: 'none' }, [0])).toEqual([giveUp]);
  });
});

describe('fixed-delay', () => {
  it('restarts as often as it has attempts, each after its delay, however far apart', () => {
    expect(decide({ type: 'fixed-delay', attempts: 2, delay: 300 }, [0, 10, 1e9])).toEqual([restart(300), restart(300), giveUp]);
  });

  it('without attempts gives up at once', () => {
    expect(decide({ type: 'fixed-delay', attempts: 0, delay: 1 }, [0])).toEqual([giveUp]);
  });
});

describe('failure-rate', () => {
  const strategy = { type: 'failure-rate', maxFailuresPerInterval: 2, failureRateInterval: 1_000, delay: 5 } as const;

  it('gives up when more failures than allowed lie within the interval', () => {
    expect(decide(strategy, [0, 500, 1_000])).toEqual([restart(5), restart(5), giveUp]);
  });

  it('forgets failures that are older than the interval', () => {
    expect(decide(strategy, [0, 500, 1_001, 1_502, 2_003])).toEqual(Array.from({ length: 5 }, () => restart(5)));
  });

  it('counts as many failures as a setting can allow', () => {
    const most = { ...strategy, maxFailuresPerInterval: 1_000, failureRateInterval: 1e9 };
    const decisions = decide(most, Array.from({ length: 1_001 }, (_, i) => i));
    expect([decisions[999], decisions[1_000]]).toEqual([restart(5), giveUp]);
  });
});

describe('exponential-delay', () => {
  const strategy = {
    type: 'exponential-delay',
    initialBackoff: 1_000,
    maxBackoff: 5_000,
    backoffMultiplier: 2,
    jitterFactor: 0,
    resetBackoffThreshold: 60_000,
    attemptsBeforeResetBackoff: 2_147_483_647,
  } as const;

  it('multiplies its backoff up to the maximum, and never gives up by default', () => {
    expect(decide(strategy, [0, 1_000, 3_000, 7_000, 12_000, 17_000])).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000].map(restart));
  });

  it('starts over once a task has run for the threshold, which counts from when it was started again', () => {
    expect(decide(strategy, [0, 60_999])).toEqual([restart(1_000), restart(2_000)]);
    expect(decide(strategy, [0, 61_000])).toEqual([restart(1_000), restart(1_000)]);
    expect(decide(strategy, [0, 1_000, 63_000, 64_000])).toEqual([1_000, 2_000, 1_000, 2_000].map(restart));
  });

  it('counts the threshold from the restart as it was spread by the jitter', () => {
    const jittery = { ...strategy, jitterFactor: 0.5 };
    expect(decide(jittery, [0, 61_499], 1 - 2 ** -53)).toEqual([restart(1_500), restart(3_000)]);
    expect(decide(jittery, [0, 61_500], 1 - 2 ** -53)).toEqual([restart(1_500), restart(1_500)]);
    expect(decide(jittery, [0, 60_500], 0)).toEqual([restart(500), restart(500)]);
  });

  it('gives up after as many attempts as allowed, counted anew after each reset', () => {
    expect(decide({ ...strategy, attemptsBeforeResetBackoff: 2 }, [0, 1, 100_000, 100_001, 100_002])).toEqual([
      restart(1_000),
      restart(2_000),
      restart(1_000),
      restart(2_000),
      giveUp,
    ]);
  });

  it('spreads its backoff by the jitter to both sides, and the next backoff is not moved by it', () => {
    const jittery = { ...strategy, jitterFactor: 0.1 };
    expect(decide(jittery, [0, 1], 0)).toEqual([restart(900), restart(1_800)]);
    expect(decide(jittery, [0, 1], 0.5)).toEqual([restart(1_000), restart(2_000)]);
    expect(decide(jittery, [0, 1], 1 - 2 ** -53)).toEqual([restart(1_100), restart(2_200)]);
  });

  it('keeps every delay within 0 and the maximum, and within the jitter of its backoff', () => {
    const settings = fc.record({
      type: fc.constant('exponential-delay' as const),
      initialBackoff: fc.integer({ min: 1, max: 10_000 }),
      maxBackoff: fc.integer({ min: 1, max: 100_000 }),
      backoffMultiplier: fc.double({ min: 1, max: 100, noNaN: true }),
      jitterFactor: fc.double({ min: 0, max: 1, noNaN: true }),
      resetBackoffThreshold: fc.integer({ min: 1, max: 100_000 }),
      attemptsBeforeResetBackoff: fc.constant(1_000),
    });
    fc.assert(
      fc.property(settings, fc.array(fc.nat(20_000), { maxLength: 12 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (given, gaps, random) => {
        let now = 0;
        const delays = decide(given, gaps.map((gap) => (now += gap)), random).map((decision) => (decision as { readonly afterMs: number }).afterMs);
        expect(delays.filter((delay) => !Number.isInteger(delay) || delay < 0 || delay > given.maxBackoff)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('what is remembered', () => {
  it('is bounded, however often a task fails', () => {
    let history: RestartHistory = { ...NO_FAILURES, failures: Array.from({ length: 5_000 }, (_, i) => i) };
    history = onFailure({ type: 'fixed-delay', attempts: 1e9, delay: 1 }, history, 5_000, 0).history;
    expect(history.failures.length).toBeLessThanOrEqual(1_001);
    expect(history.failures.at(-1)).toBe(5_000);
  });
});

describe('describeStrategy', () => {
  it.each<readonly [CompiledRestartStrategy, string]>([
    [{ type: 'none' }, 'none'],
    [{ type: 'fixed-delay', attempts: 3, delay: 10 }, 'fixed-delay (3 attempts, 10 ms)'],
    [{ type: 'failure-rate', maxFailuresPerInterval: 3, failureRateInterval: 60, delay: 1 }, 'failure-rate (3 failures in 60 ms)'],
    [
      {
        type: 'exponential-delay',
        initialBackoff: 1,
        maxBackoff: 9,
        backoffMultiplier: 2,
        jitterFactor: 0,
        resetBackoffThreshold: 1,
        attemptsBeforeResetBackoff: 1,
      },
      'exponential-delay (1 to 9 ms)',
    ],
  ])('says in words what is allowed: %#', (strategy, text) => {
    expect(describeStrategy(strategy)).toBe(text);
  });
});
