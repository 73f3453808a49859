import { describe, expect, it } from '@jest/globals';
import { ShuffleBudget } from './shuffle-budget.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Rounds one after another: each puts out `bytes`, and takes what `tookMs` says of it. @returns the budgets before each, and after the last */
function rounds(budget: ShuffleBudget, count: number, bytesOf: (budget: number) => number, tookMs: (bytes: number) => number): number[] {
  const budgets = [budget.bytes];
  let now = 0;
  for (let i = 0; i < count; i++) {
    const bytes = bytesOf(budget.bytes);
    budget.frozen(bytes, true, now);
    now += Math.max(500, tookMs(bytes));
    budget.roundEnded(now);
    budgets.push(budget.bytes);
  }
  return budgets;
}
const all = (budget: number): number => budget;

describe('what a task may put out between two barriers', () => {
  it('begins as 128 KiB a second of interval and aim, the aim being at most a quarter of the timeout', () => {
    expect(new ShuffleBudget(500, 600_000).bytes).toBe(10.5 * 128 * KIB);
    expect(new ShuffleBudget(500, 8_000).bytes).toBe(2.5 * 128 * KIB);
  });

  it('doubles while it is used and rounds are quick, four times as much where they are very quick, up to a GiB', () => {
    const budget = new ShuffleBudget(500, 600_000);
    expect(rounds(budget, 2, all, () => 4_000).map((bytes) => bytes / KIB)).toEqual([1_344, 2_688, 5_376]);
    expect(rounds(budget, 2, all, () => 1_000).map((bytes) => bytes / KIB)).toEqual([5_376, 21_504, 86_016]);
    rounds(budget, 20, all, () => 100);
    expect(budget.bytes).toBe(1024 * MIB);
  });

  it('stays as it is while it is not used, so that a burst after a quiet hour is no flood', () => {
    const budget = new ShuffleBudget(500, 600_000);
    expect(rounds(budget, 100, (bytes) => bytes / 3, () => 10)).toEqual(new Array(101).fill(budget.bytes));
  });

  it('comes to what slow readers get through within the aim, and stays there', () => {
    for (const bytesPerMs of [100, 1_000, 20_000]) {
      const seen: number[] = [];
      rounds(new ShuffleBudget(500, 600_000), 20, all, (bytes) => (seen.push(bytes / bytesPerMs), bytes / bytesPerMs));
      for (const tookMs of seen.slice(12)) expect([bytesPerMs, tookMs < 10_000, tookMs > 2_500]).toEqual([bytesPerMs, true, true]);
    }
  });

  it('never falls below 256 KiB, however long a round takes', () => {
    const budget = new ShuffleBudget(500, 600_000);
    rounds(budget, 10, all, () => 60_000);
    expect(budget.bytes).toBe(256 * KIB);
  });

  it('counts epochs that were committed without a barrier, until it is renewed', () => {
    const budget = new ShuffleBudget(500, 600_000);
    budget.frozen(budget.bytes - 100, false, 0);
    expect([budget.isSpent(99), budget.isSpent(100), budget.isAwaiting]).toEqual([false, true, false]);
    budget.renew();
    expect(budget.isSpent(100)).toBe(false);
  });

  it('is whole again behind a barrier', () => {
    const budget = new ShuffleBudget(500, 600_000);
    budget.frozen(budget.bytes, true, 0);
    expect([budget.isSpent(0), budget.isAwaiting]).toEqual([false, true]);
  });
});
