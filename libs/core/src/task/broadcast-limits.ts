import { type Offset, offset } from '../model/brands.js';
import { partitionName, type PartitionOffset, type TopicPartition } from '../model/topic-partition.js';
import type { LogChunk, LogReader } from '../ports/log.js';
import type { TaskPlan } from './task-plan.js';

/**
 * How far a task may read its broadcast inputs (R9): up to the end that the newest trigger named, and exactly to it before it freezes that
 * trigger's epoch. So in a cut all tasks hold the same of the broadcast. Before its first trigger a task reads nothing of it.
 *
 *   partition:  WAITS (paused at its limit) --a trigger names a later end--> READS --limit reached--> WAITS
 */
export class BroadcastLimits {
  readonly #topics: ReadonlySet<string>;
  readonly #limits = new Map<string, Offset>();

  /** @param rounds false where checkpointing is off: there is no cut then, and everything is read as it comes */
  constructor(
    plan: TaskPlan,
    private readonly rounds = true,
  ) {
    this.#topics = new Set(plan.inputs.filter(({ type }) => type === 'broadcast').map(({ topic }) => topic));
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** 0 before the first trigger; without rounds no offset is as high. */
  limitOf(topic: string, partition: number): Offset {
    return this.#limits.get(partitionName(topic, partition)) ?? offset(this.rounds ? 0 : Number.MAX_SAFE_INTEGER);
  }

  /** A trigger named these ends: what lies below them may be read now. */
  raise(ends: readonly PartitionOffset[], reader: LogReader): void {
    for (const { topic, partition, offset: end } of ends) {
      if (!this.has(topic) || end <= this.limitOf(topic, partition)) continue;
      this.#limits.set(partitionName(topic, partition), end);
      reader.resume({ topic, partition });
    }
  }

  /** Pauses a partition that has come to its limit. */
  holdAt(at: TopicPartition, next: Offset, reader: LogReader): void {
    if (this.has(at.topic) && next >= this.limitOf(at.topic, at.partition)) reader.pause(at);
  }

  /**
   * Cuts a chunk off at the limit. What lies behind it is read again later.
   * @returns the offset behind what is left
   */
  cut(chunk: LogChunk, reader: LogReader): Offset {
    const { topic, partition, records, nextOffset } = chunk;
    if (!this.has(topic)) return nextOffset;
    const limit = this.limitOf(topic, partition);
    if (nextOffset <= limit) return nextOffset;
    while (records.count > 0 && records.offset[records.count - 1]! >= limit) records.count--;
    reader.assign({ topic, partition }, limit);
    reader.pause({ topic, partition });
    return limit;
  }
}
