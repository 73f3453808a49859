import {
  offset,
  RecordColumns,
  type Cancel,
  type LogChunk,
  type LogReader,
  type Offset,
  type ReaderOptions,
  type TopicPartition,
} from '@weir/core';
import { errors } from '../errors.js';
import type { ClientChannel } from './client-channel.js';
import { fillColumns } from './packed-rows.js';
import type { LogRun, PartitionLog } from './partition-log.js';

/** What a reader needs of the cluster. */
export interface ReaderBroker {
  /** Undefined if the topic or the partition does not exist. */
  find(topic: string, partition: number): PartitionLog | undefined;
  /** Most rows that the next fetch gives. */
  fetchRows(): number;
  /** Milliseconds until the next fetch begins. */
  fetchDelayMs(): number;
}

/**
 * MemoryReader: reads ahead in the background, by timers of the client's clock alone, so that nothing arrives during a call.
 *
 * Per partition:
 *
 *             room in the buffer, not paused        timer            rows, or a position moved
 *   IDLE ------------------------------------> SCHEDULED --> FETCHING -------------------------> IDLE
 *    ^                                                          |  nothing there
 *    +---------------- the log changed ---------- WAITING <-----+
 *                                                               +--- an error ---> FAILED (until assigned anew)
 *
 * Invariants:
 * - R1. A chunk that arrives for a former assignment of its partition is dropped.
 * - R2. A fetch takes at most the room that is left in the buffer, or one record if that is larger.
 * - R3. `wake` is called from a timer or a continuation, never from within a method of the reader.
 */
export class MemoryReader implements LogReader {
  /** In the order in which they take turns. */
  #assignments: Assignment[] = [];
  #cursor = 0;
  #errors: { readonly assignment: Assignment; readonly thrown: unknown }[] = [];
  #closed = false;
  readonly #records = new RecordColumns();

  constructor(
    private readonly options: ReaderOptions,
    private readonly channel: ClientChannel,
    private readonly broker: ReaderBroker,
  ) {}

  assign({ topic, partition }: TopicPartition, from: Offset): void {
    if (this.#closed) throw this.channel.closedError('assign');
    const former = this.#find(topic, partition);
    const fresh: Assignment = {
      topic,
      partition,
      topicId: undefined,
      missingSince: undefined,
      position: from,
      lastStable: 0,
      paused: former?.paused ?? false,
      buffered: [],
      bufferedBytes: 0,
      phase: { name: 'IDLE' },
    };
    if (former === undefined) this.#assignments.push(fresh);
    else {
      this.#drop(former);
      this.#assignments[this.#assignments.indexOf(former)] = fresh;
    }
    this.#schedule(fresh);
  }

  unassign({ topic, partition }: TopicPartition): void {
    const former = this.#find(topic, partition);
    if (former === undefined) return;
    this.#drop(former);
    this.#assignments = this.#assignments.filter((other) => other !== former);
  }

  pause({ topic, partition }: TopicPartition): void {
    const assignment = this.#find(topic, partition);
    if (assignment !== undefined) assignment.paused = true;
  }

  resume({ topic, partition }: TopicPartition): void {
    const assignment = this.#find(topic, partition);
    if (assignment === undefined || !assignment.paused) return;
    assignment.paused = false;
    if (assignment.buffered.length > 0) this.channel.context.clock.after(0, () => this.#wake());
    this.#schedule(assignment);
  }

  take(): LogChunk | undefined {
    if (this.channel.isDead) return undefined;
    const failure = this.#errors.shift();
    if (failure !== undefined) throw failure.thrown;
    const { length } = this.#assignments;
    for (let i = 0; i < length; i++) {
      const at = (this.#cursor + i) % length;
      const assignment = this.#assignments[at]!;
      if (assignment.paused || assignment.buffered.length === 0) continue;
      this.#cursor = at + 1;
      return this.#handOut(assignment);
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.channel.alive();
    this.#closed = true;
    for (const assignment of this.#assignments) stop(assignment);
    this.#assignments = [];
    this.#errors = [];
  }

  /** Bytes fetched and not taken yet: for specs of the bound (R2). */
  bufferedBytes({ topic, partition }: TopicPartition): number {
    return this.#find(topic, partition)?.bufferedBytes ?? 0;
  }

  #handOut(assignment: Assignment): LogChunk {
    const run = assignment.buffered.shift()!;
    assignment.bufferedBytes -= run.bytes;
    fillColumns(run.spans, this.#records);
    this.#schedule(assignment);
    const { topic, partition, lastStable } = assignment;
    return { topic, partition, records: this.#records, nextOffset: offset(run.nextOffset), lastStable: offset(lastStable) };
  }

  /** Ends an assignment and forgets what went wrong with it. */
  #drop(former: Assignment): void {
    stop(former);
    this.#errors = this.#errors.filter(({ assignment }) => assignment !== former);
  }

  #find(topic: string, partition: number): Assignment | undefined {
    return this.#assignments.find((other) => other.partition === partition && other.topic === topic);
  }

  #room(assignment: Assignment): number {
    return this.options.bufferBytes - assignment.bufferedBytes;
  }

  #schedule(assignment: Assignment, delayMs = this.broker.fetchDelayMs()): void {
    if (assignment.phase.name !== 'IDLE' || assignment.paused || this.#room(assignment) <= 0) return;
    const cancel = this.channel.context.clock.after(delayMs, () => {
      assignment.phase = assignment.paused ? { name: 'IDLE' } : { name: 'FETCHING' };
      if (!assignment.paused) void this.#fetch(assignment);
    });
    assignment.phase = { name: 'SCHEDULED', cancel };
  }

  /** Never rejects: what goes wrong is thrown by `take`. */
  async #fetch(assignment: Assignment): Promise<void> {
    const { topic, partition } = assignment;
    const facts = { call: 'fetch', clientId: this.channel.context.clientId, partitions: [{ topic, partition }] } as const;
    try {
      const fetched = await this.channel.call(facts, () => this.#read(assignment));
      if (this.#find(topic, partition) === assignment) this.#arrived(assignment, fetched);
    } catch (thrown) {
      if (this.#find(topic, partition) === assignment) this.#failed(assignment, thrown);
    }
  }

  /** The broker's side of a fetch; undefined while the partition does not exist. */
  #read(assignment: Assignment): Fetched | undefined {
    const { topic, partition, position } = assignment;
    const log = this.broker.find(topic, partition);
    if (log === undefined) return undefined;
    if (assignment.topicId !== undefined && log.topicId !== assignment.topicId) {
      throw errors.topicReplaced({ topic, expected: assignment.topicId, found: log.topicId });
    }
    if (position < log.start || position > log.highWatermark) {
      throw errors.offsetOutOfRange({ topic, partition, offset: position, start: log.start, end: log.highWatermark });
    }
    return { log, run: log.read(position, this.broker.fetchRows(), this.#room(assignment)) };
  }

  #arrived(assignment: Assignment, fetched: Fetched | undefined): void {
    assignment.phase = { name: 'IDLE' };
    if (fetched === undefined) return this.#missing(assignment);
    const { log, run } = fetched;
    assignment.topicId = log.topicId;
    assignment.missingSince = undefined;
    assignment.lastStable = run.lastStable;
    if (run.nextOffset === assignment.position) return this.#wait(assignment, log, run.version);
    assignment.position = run.nextOffset;
    assignment.buffered.push(run);
    assignment.bufferedBytes += run.bytes;
    this.#schedule(assignment);
    this.#wake();
  }

  #wait(assignment: Assignment, log: PartitionLog, version: number): void {
    const again = (): void => {
      assignment.phase = { name: 'IDLE' };
      this.#schedule(assignment);
    };
    // The log may have changed while the answer travelled.
    if (log.version !== version) again();
    else assignment.phase = { name: 'WAITING', cancel: log.onceChanged(again) };
  }

  /** A topic may be about to be created; after a while it is an error that it is not there. */
  #missing(assignment: Assignment): void {
    const { topic, partition } = assignment;
    const now = this.channel.context.clock.monotonic();
    assignment.missingSince ??= now;
    if (now - assignment.missingSince < MISSING_PATIENCE_MS) this.#schedule(assignment, MISSING_RETRY_MS);
    else this.#failed(assignment, errors.partitionMissing({ act: 'read', topic, partition, partitions: 0 }));
  }

  #failed(assignment: Assignment, thrown: unknown): void {
    assignment.phase = { name: 'FAILED' };
    this.#errors.push({ assignment, thrown });
    this.#wake();
  }

  #wake(): void {
    if (!this.#closed && !this.channel.isDead) this.options.wake();
  }
}

type Phase =
  | { readonly name: 'IDLE' }
  | { readonly name: 'SCHEDULED'; readonly cancel: Cancel }
  | { readonly name: 'FETCHING' }
  | { readonly name: 'WAITING'; readonly cancel: Cancel }
  | { readonly name: 'FAILED' };

interface Assignment {
  readonly topic: string;
  readonly partition: number;
  /** Of the topic that was read first: another one under the same name is an error. */
  topicId: string | undefined;
  missingSince: number | undefined;
  /** The next offset to fetch. */
  position: number;
  lastStable: number;
  paused: boolean;
  readonly buffered: LogRun[];
  bufferedBytes: number;
  phase: Phase;
}

interface Fetched {
  readonly log: PartitionLog;
  readonly run: LogRun;
}

const MISSING_PATIENCE_MS = 30_000;
const MISSING_RETRY_MS = 100;

function stop({ phase }: Assignment): void {
  if (phase.name === 'SCHEDULED' || phase.name === 'WAITING') phase.cancel();
}
