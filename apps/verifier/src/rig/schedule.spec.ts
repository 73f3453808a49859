import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { Schedule } from './schedule.js';

describe('the schedule of the flow', () => {
  it('thinks of a few seconds for each blow and a tail, before it knows better', () => {
    expect(new Schedule(4, 0, new ManualClock()).remainingMs()).toBe(4 * 3_500 + 2_000);
  });

  it('learns from the blows that were struck', async () => {
    const clock = new ManualClock();
    const schedule = new Schedule(4, 0, clock);
    for (let i = 0; i < 3; i++) {
      await clock.advance(1_000);
      schedule.struck();
    }
    expect(schedule.remainingMs()).toBeCloseTo((3_500 + 3_000) / 4 + 2_000);
  });

  it('keeps a tail for as long as a blow is awaited, however long that takes', async () => {
    const clock = new ManualClock();
    const schedule = new Schedule(1, 0, clock);
    await clock.advance(60_000);
    expect(schedule.remainingMs()).toBe(2_000);
    schedule.struck();
    await clock.advance(1_500);
    expect(schedule.remainingMs()).toBe(500);
    await clock.advance(1_500);
    expect(schedule.remainingMs()).toBe(0);
  });

  it('lasts as long as was asked for', async () => {
    const clock = new ManualClock();
    const schedule = new Schedule(0, 30_000, clock);
    await clock.advance(10_000);
    expect(schedule.remainingMs()).toBe(20_000);
  });

  it('ends after the tail when no further blow comes', async () => {
    const clock = new ManualClock();
    const schedule = new Schedule(10, 0, clock);
    schedule.cutShort();
    expect(schedule.remainingMs()).toBe(2_000);
    await clock.advance(2_000);
    expect(schedule.remainingMs()).toBe(0);
  });
});
