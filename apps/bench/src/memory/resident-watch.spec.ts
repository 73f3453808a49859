import { describe, expect, it } from '@jest/globals';
import { MemoryExceededError, peakResidentBytes, ResidentLimit } from './resident-watch.js';

/** A limit of 500 bytes over a process that grows. */
function rig(): { readonly grow: (bytes: number | undefined) => void; readonly limit: ResidentLimit; readonly kills: () => number } {
  let peak: number | undefined;
  let kills = 0;
  const limit = new ResidentLimit(500, () => peak, () => kills++);
  return { grow: (bytes) => ((peak = bytes), limit.look()), limit, kills: () => kills };
}

describe('the limit of resident memory', () => {
  it('leaves a process alone that keeps within it', () => {
    const { grow, limit, kills } = rig();
    grow(500);
    expect(kills()).toBe(0);
    expect(() => limit.assertKept()).not.toThrow();
  });

  it('kills once one that exceeds it, and says so although nobody can be asked any more', () => {
    const { grow, limit, kills } = rig();
    grow(501);
    grow(600);
    grow(undefined);
    expect(kills()).toBe(1);
    expect(() => limit.assertKept()).toThrow(MemoryExceededError);
  });

  it('knows nothing of a process that is not there', () => {
    expect(peakResidentBytes(2 ** 30)).toBeUndefined();
  });
});
