import { partitionName, type Cancel, type Clock, type Offset, type TopicPartition } from '@weir/core';
import type { AbortedTransaction } from '../batch/aborted-filter.js';
import { AT } from '../batch/batch-format.js';
import { RecordSetReader, wholeBatchBytes } from '../batch/record-set-reader.js';
import { Backoff } from '../wire/backoff.js';
import { UNKNOWN_EPOCH } from './fetch-messages.js';

/** What waits to be taken, in the order of the log. */
export type Fetched =
  | { readonly kind: 'records'; readonly bytes: Buffer; readonly from: number; readonly aborted: readonly AbortedTransaction[] }
  | { readonly kind: 'gap'; readonly to: number }
  | { readonly kind: 'error'; readonly error: unknown };

/**
 * What the fetcher may do with a cursor:
 *
 *   ready -> fetching -> ready | waiting | halted        waiting -> ready (a pause has passed)        any -> ended (unassigned)
 *
 * `halted`: behind what is buffered nothing can be fetched (damage, a position outside the log); `take` says why.
 */
export type CursorPhase = 'ready' | 'fetching' | 'waiting' | 'halted' | 'ended';

const NEXT: Readonly<Record<CursorPhase, readonly CursorPhase[]>> = {
  ready: ['fetching', 'waiting', 'halted', 'ended'],
  fetching: ['ready', 'waiting', 'halted', 'ended'],
  waiting: ['ready', 'halted', 'ended'],
  halted: ['ended'],
  ended: [],
};

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1_000;
const LEAST_FETCH_BYTES = 4 * 1024;
const MOST_FETCH_BYTES = 8 * 1024 * 1024;

/**
 * Cursor: one reader's place in one partition, from `assign` to `unassign`: what was fetched ahead, and where to fetch on.
 *
 * Invariant: what is buffered and under way never exceeds the reader's bufferBytes by more than one batch: half of it is fetched at
 * a time, and only when that much is free (so that one half is fetched while the other is computed on).
 */
export class Cursor {
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly queue: Fetched[] = [];
  readonly records: RecordSetReader;
  /** Whether `records` has begun with the head of the queue. */
  isDecoding = false;
  paused = false;
  /** Offset of the next fetch. */
  position: number;
  /** Offset of the next record to hand out. */
  taken: number;
  lastStable: number;
  /** Bytes asked for at a time. */
  readonly fetchBytes: number;
  /** Must come first in its next request: only there the broker sends a batch whatever its size. */
  mustLead = false;
  /** When this cursor last had records; those that waited longest come first. */
  served = 0;
  /** Of the topic that it began to read: another one under the same name is an error. */
  topicId: string | undefined;
  /** Leader epoch of the last batch that was fetched; UNKNOWN_EPOCH before the first. */
  lastEpoch = UNKNOWN_EPOCH;
  /** Since when nothing succeeds, by the monotonic clock; undefined while all is well. */
  troubledSince: number | undefined;
  trouble = '';

  /** What answers without records say is empty from `position` on: up to the least end that any of them named. */
  #empty: { to: number; answers: number } | undefined;
  #phase: CursorPhase = 'ready';
  #buffered = 0;
  #cancelWait: Cancel | undefined;
  readonly #backoff: Backoff;
  readonly #bufferBytes: number;

  constructor(
    { topic, partition }: TopicPartition,
    from: Offset,
    bufferBytes: number,
    /** Tells the cursor's reader that `take` may have something. */
    readonly wake: () => void,
    private readonly clock: Clock,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.name = partitionName(topic, partition);
    this.records = new RecordSetReader(topic, partition);
    this.position = this.taken = this.lastStable = from;
    this.#bufferBytes = bufferBytes;
    this.fetchBytes = Math.min(MOST_FETCH_BYTES, Math.max(LEAST_FETCH_BYTES, Math.floor(bufferBytes / 2)));
    this.#backoff = new Backoff(clock, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  }

  get phase(): CursorPhase {
    return this.#phase;
  }

  /** Whether it may go into a request now. */
  get isFetchable(): boolean {
    if (this.#phase !== 'ready' || this.paused) return false;
    return this.#buffered === 0 || this.#buffered + this.fetchBytes <= this.#bufferBytes;
  }

  move(to: CursorPhase): void {
    if (!NEXT[this.#phase].includes(to)) return;
    this.#cancelWait?.();
    this.#cancelWait = undefined;
    this.#phase = to;
  }

  /** Rests for a while after trouble, longer each time; `then` runs when it is ready again. */
  rest(trouble: string, then: () => void): void {
    this.troubledSince ??= this.clock.monotonic();
    this.trouble = trouble;
    this.move('waiting');
    if (this.#phase !== 'waiting') return;
    this.#cancelWait = this.clock.after(this.#backoff.take(), () => {
      this.#cancelWait = undefined;
      this.move('ready');
      then();
    });
  }

  recovered(): void {
    this.troubledSince = undefined;
    this.#backoff.reset();
  }

  /** Takes note of an answer without anything, although the log goes on to `lastStable`. @returns how many there were in a row */
  emptyUpTo(lastStable: number): number {
    this.#empty = { to: Math.min(lastStable, this.#empty?.to ?? lastStable), answers: (this.#empty?.answers ?? 0) + 1 };
    return this.#empty.answers;
  }

  /** Passes over what is empty. */
  passEmpty(): void {
    if (this.#empty !== undefined && this.#empty.to > this.position) this.addGap(this.#empty.to);
    this.#empty = undefined;
  }

  /** Takes in a record set that has at least one whole batch. */
  addRecords(bytes: Buffer, aborted: readonly AbortedTransaction[]): void {
    this.#empty = undefined;
    this.queue.push({ kind: 'records', bytes, from: this.position, aborted });
    this.#buffered += bytes.length;
    const end = endOfRecordSet(bytes, this.position);
    // Damage stops fetching; `take` reads up to it, and says what it is.
    if (end === undefined) this.move('halted');
    else {
      this.position = end.offset;
      this.lastEpoch = end.epoch;
    }
  }

  addGap(to: number): void {
    this.queue.push({ kind: 'gap', to });
    this.position = to;
  }

  fail(error: unknown): void {
    if (this.#phase === 'halted' || this.#phase === 'ended') return;
    this.queue.push({ kind: 'error', error });
    this.move('halted');
  }

  /** Drops the head of the queue. */
  shift(): void {
    const head = this.queue.shift();
    this.isDecoding = false;
    if (head?.kind !== 'records') return;
    this.#buffered -= head.bytes.length;
    this.records.clear();
  }

  end(): void {
    this.move('ended');
    this.queue.length = 0;
    this.#buffered = 0;
    this.records.clear();
  }
}

/** The offset behind the last whole batch, and its epoch; undefined if a batch's head makes no sense. The reader proper checks everything else. */
function endOfRecordSet(bytes: Buffer, position: number): { readonly offset: number; readonly epoch: number } | undefined {
  let end = position;
  let epoch = UNKNOWN_EPOCH;
  for (let at = 0; ;) {
    const length = wholeBatchBytes(bytes, at);
    if (length === 0) return { offset: end, epoch };
    if (length < 0) return undefined;
    const high = bytes.readInt32BE(at + AT.baseOffset);
    const next = high * 0x1_0000_0000 + bytes.readUInt32BE(at + AT.baseOffset + 4) + bytes.readInt32BE(at + AT.lastOffsetDelta) + 1;
    if (!Number.isSafeInteger(next)) return undefined;
    if (next > end) end = next;
    epoch = bytes.readInt32BE(at + AT.leaderEpoch);
    at += length;
  }
}
