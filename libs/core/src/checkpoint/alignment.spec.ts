import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkpointId, type CheckpointId } from '../model/brands.js';
import { Alignment } from './alignment.js';

const at = (id: number): CheckpointId => checkpointId(id);
/** Two partitions of a repartition topic, read by one task, each with barriers from two upstream tasks. */
function aligned(): Alignment {
  const alignment = new Alignment();
  alignment.add('r-0', [at(0), at(0)]);
  alignment.add('r-2', [at(0), at(0)]);
  return alignment;
}

describe('alignment', () => {
  it('is not needed by a task that reads sources alone: the trigger is its barrier', () => {
    const alignment = new Alignment();
    expect([alignment.isNeeded, alignment.holds(at(5))]).toEqual([false, true]);
    expect(aligned().isNeeded).toBe(true);
  });

  it('holds a barrier once it came from every upstream task on every partition', () => {
    const alignment = aligned();
    const steps = [
      ['r-0', 0],
      ['r-2', 0],
      ['r-2', 1],
      ['r-0', 1],
    ] as const;
    const held = steps.map(([partition, writer]) => {
      alignment.onBarrier(partition, writer, at(1));
      return alignment.holds(at(1));
    });
    expect(held).toEqual([false, false, false, true]);
  });

  it('ignores late barriers, and ends on a barrier when one above it comes (R4)', () => {
    const alignment = aligned();
    for (const partition of ['r-0', 'r-2']) for (const writer of [0, 1]) alignment.onBarrier(partition, writer, at(3));
    alignment.onBarrier('r-0', 0, at(2));
    expect(alignment.holds(at(3))).toBe(true);
    alignment.onBarrier('r-0', 0, at(4));
    expect([alignment.holds(at(3)), alignment.holds(at(4))]).toEqual([false, false]);
  });

  it('goes on with the barriers of the epoch record, and gives them back as copies', () => {
    const alignment = new Alignment();
    const recorded = [at(7), at(6)];
    alignment.add('r-0', recorded);
    alignment.onBarrier('r-0', 1, at(7));
    expect(alignment.holds(at(7))).toBe(true);
    expect(recorded).toEqual([7, 6]);
    const copy = alignment.barriersOf('r-0');
    alignment.onBarrier('r-0', 0, at(8));
    expect(copy).toEqual([7, 7]);
    expect(alignment.barriersOf('source-0')).toEqual([]);
  });

  it('holds n exactly if the highest barrier of each upstream task on each partition is n, whatever the order', () => {
    const barrier = fc.tuple(fc.constantFrom('r-0', 'r-2'), fc.constantFrom(0, 1), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(fc.array(barrier, { maxLength: 20 }), (barriers) => {
        const alignment = aligned();
        const highest = new Map(['r-0 0', 'r-0 1', 'r-2 0', 'r-2 1'].map((name) => [name, 0]));
        for (const [partition, writer, id] of barriers) {
          alignment.onBarrier(partition, writer, at(id));
          const name = `${partition} ${writer}`;
          highest.set(name, Math.max(highest.get(name)!, id));
        }
        const expected = [1, 2, 3].map((id) => [...highest.values()].every((seen) => seen === id));
        expect([1, 2, 3].map((id) => alignment.holds(at(id)))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});
