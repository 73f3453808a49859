import { describe, expect, it } from '@jest/globals';
import type { Clock } from '@weir/core';
import { whenUnlocked } from './store-lock.js';

/** A clock that jumps to whatever it is asked to wait for. */
function jumpingClock(): Clock {
  let now = 0;
  return {
    wall: () => now,
    monotonic: () => now,
    random: () => 0,
    newId: () => '0'.repeat(32),
    after: (ms, run) => {
      queueMicrotask(() => {
        now += ms;
        run();
      });
      return () => undefined;
    },
  };
}

describe('the wait for a lock', () => {
  it('ends as soon as an attempt succeeds', async () => {
    const clock = jumpingClock();
    const answers = [undefined, undefined, 'the store'];
    await expect(whenUnlocked('opening', '/d', { clock, timeoutMs: 1000 }, () => answers.shift())).resolves.toBe('the store');
    expect(clock.monotonic()).toBe(50);
  });

  it('ends after its time with an error to try again later, that names the store', async () => {
    const clock = jumpingClock();
    const waiting = whenUnlocked('opening', '/d/app/0/0-0', { clock, timeoutMs: 110 }, () => undefined);
    await expect(waiting).rejects.toMatchObject({ kind: 'retry', code: 'STATE_LOCKED', message: expect.stringContaining('/d/app/0/0-0') });
    expect(clock.monotonic()).toBe(110);
  });

  it('tries once where there is no time to wait', async () => {
    let attempts = 0;
    const waiting = whenUnlocked('opening', '/d', { clock: jumpingClock(), timeoutMs: 0 }, () => {
      attempts++;
      return undefined;
    });
    await expect(waiting).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    expect(attempts).toBe(1);
  });

  it('passes on what an attempt throws, without another try', async () => {
    let attempts = 0;
    const failing = whenUnlocked('opening', '/d', { clock: jumpingClock(), timeoutMs: 1000 }, () => {
      attempts++;
      throw new Error('damaged');
    });
    await expect(failing).rejects.toThrow('damaged');
    expect(attempts).toBe(1);
  });
});
