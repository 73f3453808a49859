import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Offset, offset } from '../model/brands.js';
import type { TopicPartition } from '../model/topic-partition.js';
import type { LogReader } from '../ports/log.js';
import { BroadcastLimits } from './broadcast-limits.js';
import type { TaskPlan } from './task-plan.js';
import { chunkOf } from './task-rig.spec-d.js';

/** Which partitions are paused, and where reading was put back to. */
class PausingReader {
  readonly acts: string[] = [];
  readonly as = this as unknown as LogReader;

  pause({ topic, partition }: TopicPartition): void {
    this.acts.push(`pause ${topic}-${partition}`);
  }
  resume({ topic, partition }: TopicPartition): void {
    this.acts.push(`resume ${topic}-${partition}`);
  }
  assign({ topic, partition }: TopicPartition, at: Offset): void {
    this.acts.push(`assign ${topic}-${partition} ${at}`);
  }
}

const plan = { inputs: [{ type: 'broadcast', topic: 'limits' }, { type: 'source', topic: 'readings' }] } as unknown as TaskPlan;
const end = (partition: number, at: number, topic = 'limits') => ({ topic, partition, offset: offset(at) });
const rows = (from: number, to: number) => chunkOf('limits', 0, Array.from({ length: to - from }, (_, i) => ({ value: 'x', offset: from + i })));

describe('the limits of broadcast inputs (R9)', () => {
  it('are 0 before the first trigger, so that nothing is read', () => {
    const [limits, reader] = [new BroadcastLimits(plan), new PausingReader()];
    expect([limits.has('limits'), limits.has('readings'), limits.limitOf('limits', 0)]).toEqual([true, false, 0]);
    limits.holdAt({ topic: 'limits', partition: 0 }, offset(0), reader.as);
    expect(reader.acts).toEqual(['pause limits-0']);
  });

  it('rise with each trigger and never fall, and what waited at them reads on', () => {
    const [limits, reader] = [new BroadcastLimits(plan), new PausingReader()];
    limits.raise([end(0, 5), end(1, 3), end(0, 99, 'readings')], reader.as);
    limits.raise([end(0, 4), end(1, 3)], reader.as);
    limits.raise([end(1, 7)], reader.as);
    expect([limits.limitOf('limits', 0), limits.limitOf('limits', 1)]).toEqual([5, 7]);
    expect(reader.acts).toEqual(['resume limits-0', 'resume limits-1', 'resume limits-1']);
  });

  it('hold nothing of other inputs', () => {
    const [limits, reader] = [new BroadcastLimits(plan), new PausingReader()];
    limits.holdAt({ topic: 'readings', partition: 0 }, offset(9), reader.as);
    const chunk = chunkOf('readings', 0, [{ value: 'x' }]);
    expect([limits.cut(chunk, reader.as), chunk.records.count, reader.acts]).toEqual([1, 1, []]);
  });

  it('are none where checkpointing is off: everything is read as it comes', () => {
    const [limits, reader] = [new BroadcastLimits(plan, false), new PausingReader()];
    limits.holdAt({ topic: 'limits', partition: 0 }, offset(0), reader.as);
    const chunk = rows(10, 15);
    expect([limits.cut(chunk, reader.as), chunk.records.count, reader.acts]).toEqual([15, 5, []]);
  });

  it('cut a chunk that reaches beyond them, and have the rest read again later', () => {
    const [limits, reader] = [new BroadcastLimits(plan), new PausingReader()];
    limits.raise([end(0, 12)], reader.as);
    const chunk = rows(10, 15);
    expect([limits.cut(chunk, reader.as), chunk.records.count]).toEqual([12, 2]);
    expect(reader.acts).toEqual(['resume limits-0', 'assign limits-0 12', 'pause limits-0']);
  });

  it('let each task read every record below the ends that triggers named exactly once, and none above, however chunks fall', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(8), { minLength: 1, maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 40 }), (growth, sizes) => {
        const total = growth.reduce((sum, each) => sum + each, 0);
        const limits = new BroadcastLimits(plan);
        const seen: number[] = [];
        let [at, paused, size] = [0, true, 0];
        const reader = {
          pause: () => void (paused = true),
          resume: () => void (paused = false),
          assign: (_: TopicPartition, to: Offset) => void (at = to),
        } as unknown as LogReader;
        let limit = 0;
        for (const more of growth) {
          limit += more;
          limits.raise([end(0, limit)], reader);
          while (!paused && at < total) {
            const chunk = rows(at, Math.min(total, at + sizes[size++ % sizes.length]!));
            at = chunk.nextOffset;
            const next = limits.cut(chunk, reader);
            for (let row = 0; row < chunk.records.count; row++) seen.push(chunk.records.offset[row]!);
            limits.holdAt({ topic: 'limits', partition: 0 }, next, reader);
          }
          expect(seen).toEqual(Array.from({ length: limit }, (_, i) => i));
        }
      }),
    );
  });
});
