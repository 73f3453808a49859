import { describe, expect, it } from '@jest/globals';
import type { SeenRecord } from './seen-record.js';
import { SeenTrail } from './seen-trail.js';

const record = (partition: number, offset: number, key: string | null, value: string | null): SeenRecord => ({
  partition,
  offset,
  home: partition,
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
});

const trailOf = (...records: readonly SeenRecord[]): SeenTrail => {
  const trail = new SeenTrail();
  for (const each of records) trail.see(each);
  return trail;
};

const SEEN = [record(0, 0, 'a', 'x'), record(2, 4, 'b', 'y'), record(0, 1, null, 'z'), record(2, 9, 'b', null)];

describe('a trail', () => {
  it('is the same for the same records, in whatever order the partitions came', () => {
    const other = trailOf(SEEN[1]!, SEEN[0]!, SEEN[3]!, SEEN[2]!);
    expect(trailOf(...SEEN).differences('A', other, 'B')).toEqual([]);
    expect(other.count).toBe(4);
  });

  it('names the first difference of each partition: a record more, another offset, another value', () => {
    const [a, b, c] = SEEN as [SeenRecord, SeenRecord, SeenRecord];
    expect(trailOf(a, b, c).differences('A', trailOf(...SEEN), 'B')).toEqual([
      expect.stringMatching(/^partition 2, record 1: A saw nothing after 1 records, B offset 9/),
    ]);
    expect(trailOf(a, { ...b, offset: 5 }).differences('A', trailOf(a, b), 'B')).toHaveLength(1);
    expect(trailOf({ ...a, value: Buffer.from('w') }, b).differences('A', trailOf(a, b), 'B')).toHaveLength(1);
  });

  it('tells null from empty and the key from the value', () => {
    for (const [one, two] of [
      [record(0, 0, null, 'v'), record(0, 0, '', 'v')],
      [record(0, 0, 'k', null), record(0, 0, 'k', '')],
      [record(0, 0, 'kv', ''), record(0, 0, 'k', 'v')],
    ] as const) {
      expect(trailOf(one).differences('A', trailOf(two), 'B')).toHaveLength(1);
    }
  });

  it('survives its way through a file, also a long one', () => {
    const trail = new SeenTrail();
    for (let i = 0; i < 1000; i++) trail.see(record(i % 3, i, `k${i}`, `v${i}`));
    const copy = new SeenTrail();
    for (const line of trail.lines()) copy.seeLine(line);
    expect(copy.count).toBe(1000);
    expect(copy.differences('A', trail, 'B')).toEqual([]);
  });
});
