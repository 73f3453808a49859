import type { Offset } from '../model/brands.js';
import { partitionName } from '../model/topic-partition.js';
import type { LogChunk } from '../ports/log.js';

/**
 * RecordRetries: which records of a task are to be tried again, and how often each was. It owns the counts and the fences around those
 * records; it does not own the wait, nor the rollback: those are a restart of the task (job/task-slots.ts), which outlives its attempts as
 * this does.
 *
 * Why the task restarts: a function that throws half-way has collected values, updated state and set timers, and so have the operators
 * behind it. A second try in place would do that twice. What a task has not committed is dropped by a restart, whole, and by nothing else
 * at no cost to the records that are good. So a retry is a new attempt of the task, from its last commit:
 *
 *   a function throws at record r  ->  the attempt ends, without a commit  ->  the delay  ->  the next attempt, which
 *     1. reads up to r and commits that                                        (the fence before r)
 *     2. processes r alone; if it fails: the next delay, or the operator's policy
 *     3. commits r, and goes on                                                (the fence behind r)
 *
 * While the task waits, nothing of it overtakes r; its replica keeps its place in the group, the other tasks run on and commit without
 * rounds (R4), and a stop or a rebalance ends the wait, for no task is there to be waited for.
 *
 * Invariants
 *   Q1. Of what a failed try did nothing is committed: state, outputs and timers are those of the try that succeeded, or of the policy.
 *   Q2. A record is tried once more than `attempts` allows at most, by whichever of its operators it fails; so two that take turns end, too.
 *   Q3. The fences make progress: what lies before r is committed before r is tried again, so records that fail one after the other are not
 *       counted anew each time, and nothing is computed again more than once for each.
 *
 * Counts are kept in memory: a task that moves to another replica, or a process that dies, begins them anew.
 */
export class RecordRetries {
  /** Tries that have failed, by partition and offset. */
  readonly #failed = new Map<string, Map<number, number>>();
  /** Of the running epoch, and of the one whose commit is under way. */
  #passed: Place[] = [];
  #frozen: Place[] = [];

  /** A record has failed. @returns which retry is next, from 1; undefined if no more are allowed (Q2) */
  next({ topic, partition, offset }: Place, attempts: number): number | undefined {
    const partitionKey = partitionName(topic, partition);
    const failed = this.#failed.get(partitionKey) ?? new Map<number, number>();
    const retry = (failed.get(offset) ?? 0) + 1;
    if (retry > attempts) return undefined;
    this.#failed.set(partitionKey, failed.set(offset, retry));
    return retry;
  }

  /** An attempt begins to read there: what lies below is committed, whether or not its task was told. */
  startAt(topic: string, partition: number, offset: Offset): void {
    this.#passed = [];
    this.#frozen = [];
    const failed = this.#failed.get(partitionName(topic, partition));
    for (const at of [...(failed?.keys() ?? [])]) if (at < offset) failed!.delete(at);
  }

  /** Where rows [from, to) of a chunk are to be cut: the first row that is to be tried again; `to` if there is none. */
  firstIn({ topic, partition, records: { offset } }: LogChunk, from: number, to: number): number {
    if (this.#failed.size === 0) return to;
    const failed = this.#failed.get(partitionName(topic, partition));
    if (failed === undefined || failed.size === 0) return to;
    for (let row = from; row < to; row++) if (failed.has(offset[row]!)) return row;
    return to;
  }

  /** A record is tried again, and is in the running epoch. */
  passes(place: Place): void {
    this.#passed.push(place);
  }

  /** The running epoch was frozen. */
  frozen(): void {
    this.#frozen = this.#passed;
    this.#passed = [];
  }

  /** The frozen epoch is committed: whatever became of its records is done with. */
  committed(): void {
    for (const { topic, partition, offset } of this.#frozen) this.#failed.get(partitionName(topic, partition))?.delete(offset);
    this.#frozen = [];
  }
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Milliseconds before the n-th retry, from 1. */
export const retryDelayMs = ({ delay, multiplier, maxDelay }: RetryDelays, retry: number): number => Math.round(Math.min(maxDelay, delay * multiplier ** (retry - 1)));

interface RetryDelays {
  readonly delay: number;
  readonly multiplier: number;
  readonly maxDelay: number;
}
