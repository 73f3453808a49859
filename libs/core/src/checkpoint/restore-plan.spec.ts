import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { offset } from '../model/brands.js';
import { planRestore, type RestoreFacts } from './restore-plan.js';

const RETENTION_MS = 86_400_000;
const NOW = 1_700_000_000_000;

interface Given {
  readonly position?: number;
  readonly positionTopicId?: string;
  readonly writtenAt?: number;
  readonly start?: number;
  readonly end?: number;
  readonly epochEnd?: number | undefined;
}

/** A store of yesterday's position 90 in a changelog of [0, 100), usable; each spec changes what it is about. */
function facts(given: Given = {}): RestoreFacts {
  const { position = 90, positionTopicId = 'id', writtenAt = NOW - 1_000, start = 0, end = 100 } = given;
  return {
    position: { offset: offset(position), topicId: positionTopicId, leaderEpoch: 3, writtenAt },
    ends: { topic: 'c', partition: 0, start: offset(start), lastStable: offset(end), highWatermark: offset(end), leaderEpoch: 4 },
    topicId: 'id',
    epochEnd: 'epochEnd' in given ? (given.epochEnd === undefined ? undefined : offset(given.epochEnd)) : offset(end),
    deleteRetentionMs: RETENTION_MS,
    now: NOW,
  };
}

const rebuiltFor = (given: Given): string | undefined => {
  const plan = planRestore(facts(given));
  return plan.type === 'rebuild' ? plan.reason : `used from ${plan.from}`;
};

describe('planRestore', () => {
  it('reads only the tail behind a store that is a prefix of the changelog', () => {
    expect(planRestore(facts())).toEqual({ type: 'from-position', from: 90 });
  });

  it('reads nothing where the store is at the end, and builds an empty store without a reason', () => {
    expect(planRestore(facts({ position: 100 }))).toEqual({ type: 'from-position', from: 100 });
    expect(planRestore({ ...facts({ start: 5 }), position: undefined })).toEqual({ type: 'rebuild', from: 5, reason: undefined });
  });

  it.each([
    ['another topic has taken the name', { positionTopicId: 'old' }, 'it belongs to another topic of that name (id old, now id)'],
    ['the position is beyond the end', { position: 101 }, "its position 101 is beyond the changelog's end 100"],
    ['the position is below the start', { position: 90, start: 91 }, "its position 90 is below the changelog's start 91"],
    ['the leader epoch is not known', { epochEnd: undefined }, 'the changelog was truncated: leader epoch 3 ends at no known offset, below position 90'],
    ['the leader epoch ended below the position', { epochEnd: 89 }, 'the changelog was truncated: leader epoch 3 ends at 89, below position 90'],
    [
      'tombstones behind it may be gone',
      { writtenAt: NOW - RETENTION_MS - 1 },
      'it was written 86400001 ms ago, and tombstones are kept for 86400000 ms: deleted keys might come back',
    ],
  ])('rebuilds from the start when %s, and says so', (_, given, reason) => {
    expect(planRestore(facts(given))).toEqual({ type: 'rebuild', from: 'start' in given ? given.start : 0, reason });
  });

  it('uses a store at the very edge of each fact', () => {
    for (const given of [{ position: 100 }, { position: 90, start: 90 }, { epochEnd: 90 }, { writtenAt: NOW - RETENTION_MS }]) {
      expect(rebuiltFor(given)).toBe(`used from ${given.position ?? 90}`);
    }
  });

  it('trap 6: a store whose position is ahead of the log is rebuilt, once: the rebuilt one is used', () => {
    expect(rebuiltFor({ position: 150 })).toContain('beyond');
    expect(rebuiltFor({ position: 100 })).toBe('used from 100');
  });

  it('trap 6: a log that was cut and grew again past the position is noticed by its leader epoch', () => {
    expect(rebuiltFor({ position: 90, end: 500, epochEnd: 80 })).toContain('truncated');
  });

  it('trap 8: an old store is not used when anything was committed since', () => {
    expect(rebuiltFor({ position: 98, end: 100, writtenAt: 0 })).toContain('deleted keys might come back');
  });

  it('trap 8: an old store of an idle job is used, for only the marker of its own commit is behind it', () => {
    expect(rebuiltFor({ position: 99, end: 100, writtenAt: 0 })).toBe('used from 99');
    expect(rebuiltFor({ position: 100, end: 100, writtenAt: 0 })).toBe('used from 100');
  });

  it('reads from within the changelog, whatever the facts, and gives a reason for whatever it throws away', () => {
    const small = fc.nat(20);
    fc.assert(
      fc.property(small, small, small, fc.option(small, { nil: undefined }), fc.integer({ min: -5, max: 5 }), (position, start, length, epochEnd, age) => {
        const end = start + length;
        const plan = planRestore(facts({ position, start, end, epochEnd, writtenAt: NOW - RETENTION_MS - age }));
        expect(plan.from >= start && plan.from <= end).toBe(true);
        if (plan.type === 'rebuild') expect(plan.reason).toMatch(/^\S.*[^.]$/);
        else expect([plan.from, epochEnd! >= position]).toEqual([position, true]);
      }),
      { numRuns: 60 },
    );
  });
});
