import {
  RecordColumns,
  offset,
  partitionName,
  type Clock,
  type LogChunk,
  type LogReader,
  type Offset,
  type ReaderOptions,
  type TopicPartition,
} from '@weir/core';
import { errors } from '../errors.js';
import { Cursor } from './cursor.js';
import type { Fetcher } from './fetcher.js';

/** Most rows in a chunk: enough to spread a task's costs per chunk, few enough to keep its loop short. */
const MOST_ROWS = 4_096;

class Chunk implements LogChunk {
  topic = '';
  partition = 0;
  nextOffset = offset(0);
  lastStable = offset(0);
  readonly records = new RecordColumns();
}

/**
 * LogReader on Kafka. Batches are read here, at `take`, so that what is fetched ahead is held as bytes: bounded by what was asked
 * for, whatever it unpacks to.
 */
export class KafkaReader implements LogReader {
  readonly #cursors = new Map<string, Cursor>();
  /** The same cursors, in turn. */
  #inTurn: Cursor[] = [];
  #turn = 0;
  readonly #chunk = new Chunk();
  #closed = false;
  #wakePlanned = false;

  constructor(
    private readonly options: ReaderOptions,
    private readonly fetcher: Fetcher,
    private readonly clock: Clock,
    private readonly onClose: (reader: KafkaReader) => void,
  ) {}

  assign(at: TopicPartition, from: Offset): void {
    if (this.#closed) throw errors.closed({ act: `assign of ${partitionName(at.topic, at.partition)}` });
    const isPaused = this.#cursors.get(partitionName(at.topic, at.partition))?.paused ?? false;
    this.unassign(at);
    const cursor = new Cursor(at, from, this.options.bufferBytes, this.options.wake, this.clock);
    cursor.paused = isPaused;
    this.#cursors.set(cursor.name, cursor);
    this.#inTurn.push(cursor);
    this.fetcher.add(cursor);
  }

  unassign({ topic, partition }: TopicPartition): void {
    const cursor = this.#cursors.get(partitionName(topic, partition));
    if (cursor === undefined) return;
    this.#cursors.delete(cursor.name);
    this.#inTurn = this.#inTurn.filter((other) => other !== cursor);
    this.fetcher.remove(cursor);
  }

  pause(at: TopicPartition): void {
    this.#find(at, 'pause').paused = true;
  }

  resume(at: TopicPartition): void {
    const cursor = this.#find(at, 'resume');
    if (!cursor.paused) return;
    cursor.paused = false;
    this.fetcher.poke();
    if (cursor.queue.length > 0) this.#planWake();
  }

  #find({ topic, partition }: TopicPartition, act: string): Cursor {
    const cursor = this.#cursors.get(partitionName(topic, partition));
    if (cursor === undefined) throw errors.readerMisused({ topic, partition, act });
    return cursor;
  }

  /** What was buffered while the partition was paused is there now: say so, but not from within the caller's own call. */
  #planWake(): void {
    if (this.#wakePlanned) return;
    this.#wakePlanned = true;
    this.clock.after(0, () => {
      this.#wakePlanned = false;
      if (!this.#closed) this.options.wake();
    });
  }

  take(): LogChunk | undefined {
    const cursors = this.#inTurn;
    for (let i = 0; i < cursors.length; i++) {
      const turn = (this.#turn + i) % cursors.length;
      const cursor = cursors[turn]!;
      if (cursor.paused || cursor.queue.length === 0) continue;
      if (!this.#read(cursor)) continue;
      this.#turn = turn + 1;
      return this.#chunk;
    }
    return undefined;
  }

  /** Reads the next rows of a cursor into the chunk. False if what was buffered gave nothing, not even another position. */
  #read(cursor: Cursor): boolean {
    const { records } = this.#chunk;
    for (let head = cursor.queue[0]; head !== undefined; head = cursor.queue[0]) {
      if (head.kind === 'error') throw head.error; // stays: each `take` says it, until the partition is assigned anew
      let next: number;
      if (head.kind === 'gap') {
        records.count = 0;
        next = head.to;
        cursor.shift();
      } else {
        if (!cursor.isDecoding) cursor.records.start(head.bytes, head.from, head.aborted);
        cursor.isDecoding = true;
        const more = cursor.records.read(records, MOST_ROWS);
        next = cursor.records.position;
        if (!more) {
          cursor.shift();
          this.fetcher.poke(); // there is room again
        }
      }
      if (next === cursor.taken && records.count === 0) continue;
      this.#fill(cursor, next);
      return true;
    }
    return false;
  }

  #fill(cursor: Cursor, next: number): void {
    const chunk = this.#chunk;
    chunk.topic = cursor.topic;
    chunk.partition = cursor.partition;
    chunk.nextOffset = offset(next);
    chunk.lastStable = offset(cursor.lastStable);
    cursor.taken = next;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      for (const cursor of this.#cursors.values()) this.fetcher.remove(cursor);
      this.#cursors.clear();
      this.#inTurn = [];
      this.onClose(this);
    }
    return Promise.resolve();
  }
}
