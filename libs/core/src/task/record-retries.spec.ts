import { describe, expect, it } from '@jest/globals';
import { offset } from '../model/brands.js';
import { RecordRetries, retryDelayMs } from './record-retries.js';
import { chunkOf } from './task-rig.spec-d.js';

const at = (n: number, partition = 0): { topic: string; partition: number; offset: number } => ({ topic: 'in', partition, offset: n });
const chunk = chunkOf('in', 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);

describe('the retries of records', () => {
  it('are counted by record, up to what its operator allows (Q2)', () => {
    const retries = new RecordRetries();
    expect([retries.next(at(4), 2), retries.next(at(5), 2), retries.next(at(4), 2), retries.next(at(4), 2), retries.next(at(4, 1), 2)]).toEqual([1, 1, 2, undefined, 1]);
  });

  it('are counted together for all operators: one that allows fewer finds them used up', () => {
    const retries = new RecordRetries();
    retries.next(at(4), 3);
    retries.next(at(4), 3);
    expect([retries.next(at(4), 1), retries.next(at(4), 3)]).toEqual([undefined, 3]);
  });

  it('cut a chunk at the first of the records that are to be tried again, in their partition alone', () => {
    const retries = new RecordRetries();
    expect(retries.firstIn(chunk, 0, 3)).toBe(3);
    retries.next(at(0, 1), 1);
    expect(retries.firstIn(chunk, 0, 3)).toBe(3);
    retries.next(at(2), 1);
    retries.next(at(1), 1);
    expect([retries.firstIn(chunk, 0, 3), retries.firstIn(chunk, 2, 3), retries.firstIn(chunk, 0, 1)]).toEqual([1, 2, 1]);
  });

  it('are forgotten with the commit that holds the record, not with the freeze', () => {
    const retries = new RecordRetries();
    retries.next(at(1), 1);
    retries.passes(at(1));
    retries.frozen();
    expect(retries.firstIn(chunk, 0, 3)).toBe(1);
    retries.committed();
    expect(retries.firstIn(chunk, 0, 3)).toBe(3);
  });

  it('of records that the next attempt has behind it are forgotten, and a freeze that came to nothing with them', () => {
    const retries = new RecordRetries();
    retries.next(at(0), 1);
    retries.next(at(2), 1);
    retries.passes(at(2));
    retries.frozen();
    retries.startAt('in', 0, offset(1));
    retries.committed();
    expect([retries.firstIn(chunk, 0, 3), retries.next(at(0), 1)]).toEqual([2, 1]);
  });

  it('wait longer each time, up to a limit', () => {
    expect([1, 2, 3, 4, 1_000].map((retry) => retryDelayMs({ delay: 100, multiplier: 3, maxDelay: 1_000 }, retry))).toEqual([100, 300, 900, 1_000, 1_000]);
  });
});
