import {
  controlTopic, type Append, type AppendResult, type Log, type LogAppender, type LogChunk, type LogFactory, type LogReader, type LogTransaction, type LogWriter, type Offset,
  offset, type PartitionEnds, type ReaderOptions, type RecordColumns, type StateBackendFactory, type StateStore, type StorePosition,
  type TopicDescription, type TopicPartition,
} from '@weir/core';
import { KeptTopic } from './kept-topic.js';

/** Of every job that runs on a replay. */
export const APPLICATION_ID = 'bench';

/** An input topic whose rows lie ready or are made while they are read; offsets count from 0. */
export interface ReplayInput {
  readonly partitions: number;
  /** Rows of each partition, those of runs before included. */
  readonly rows: number;
  /** The next rows of a partition; undefined while there are none, and after the last ones were processed. They are valid until the next call. */
  next(partition: number): RecordColumns | undefined;
}

export interface Replay {
  /** By topic. */
  readonly inputs: Readonly<Record<string, ReplayInput>>;
  /** Partitions of all other topics. */
  readonly partitions: number;
  /** Where an earlier log of this kind ended: what `ends` said. */
  readonly ends?: Readonly<Record<string, number>>;
}

/**
 * A log whose input lies ready or is made as it is read, and which takes every write and keeps none but where it ended: what a job costs
 * when reading and writing cost nothing. State in local files survives it, for a changelog that ends where the store stands has nothing to
 * be read; one that is asked for what it was given says so. The job's control topic alone is kept. With `nowhere`, a state backend of the
 * same kind.
 */
export class ReplayLog implements Log {
  readonly #ends: Map<string, number>;
  readonly #wakes = new Set<() => void>();
  readonly #control = new KeptTopic(controlTopic(APPLICATION_ID));

  constructor(private readonly replay: Replay) {
    this.#ends = new Map(Object.entries(replay.ends ?? {}));
  }

  /** The same log for a job, which opens it once. */
  get factory(): LogFactory {
    return { open: () => Promise.resolve(this) };
  }

  /** Where each partition ends that was written to. */
  get ends(): Record<string, number> {
    return Object.fromEntries(this.#ends);
  }

  /** An input has rows again that had none. */
  wake(): void {
    for (const wake of this.#wakes) wake();
  }

  ensureTopics(): Promise<void> {
    return Promise.resolve();
  }

  describeTopic(topic: string): Promise<TopicDescription> {
    const { inputs, partitions } = this.replay;
    const found = topic === this.#control.topic ? 1 : (inputs[topic]?.partitions ?? partitions);
    return Promise.resolve({ topic, topicId: topic, partitions: found, deleteRetentionMs: 86_400_000 });
  }

  endPositions(partitions: readonly TopicPartition[]): Promise<PartitionEnds[]> {
    return Promise.resolve(
      partitions.map((place) => {
        const input = this.replay.inputs[place.topic];
        const end = offset(input === undefined ? this.#endOf(place) : input.rows);
        return { ...place, start: offset(0), lastStable: end, highWatermark: end, leaderEpoch: 0 };
      }),
    );
  }

  #endOf(place: TopicPartition): number {
    if (place.topic === this.#control.topic) return this.#control.end;
    return this.#ends.get(nameOf(place)) ?? 0;
  }

  epochEnd(place: TopicPartition): Promise<Offset> {
    return Promise.resolve(offset(this.#endOf(place)));
  }

  deleteRecordsBefore(): Promise<void> {
    return Promise.resolve();
  }

  deleteTopics(): Promise<void> {
    return Promise.resolve();
  }

  openReader({ wake }: ReaderOptions): LogReader {
    this.#wakes.add(wake);
    return new ReplayReader(this.replay, this.#control, wake, () => this.#wakes.delete(wake));
  }

  openWriter({ transactionalId }: { readonly transactionalId: string }): Promise<LogWriter> {
    const transaction: LogTransaction = {
      append: (appends) => Promise.resolve(appends.map((append) => this.#append(append))),
      addOffsets: () => Promise.resolve(),
      commit: () => Promise.resolve(),
      abort: () => Promise.resolve(),
    };
    return Promise.resolve({ transactionalId, begin: () => transaction, close: () => Promise.resolve() });
  }

  openAppender(): Promise<LogAppender> {
    return Promise.resolve({ append: (appends) => Promise.resolve(appends.map((append) => this.#append(append))), close: () => Promise.resolve() });
  }

  joinGroup(): never {
    throw new Error('The benchmark has one replica, and no group.');
  }

  #append({ topic, partition, records }: Append): AppendResult {
    const first = this.#endOf({ topic, partition });
    const next = first + records.count;
    if (topic === this.#control.topic) this.#control.append(records);
    else this.#ends.set(nameOf({ topic, partition }), next);
    return { topic, partition, firstOffset: offset(first), nextOffset: offset(next), leaderEpoch: 0 };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;

class ReplayReader implements LogReader {
  readonly #places: (TopicPartition & { position: number; isPaused: boolean })[] = [];
  #ofControl: LogReader | undefined;

  constructor(
    private readonly replay: Replay,
    private readonly control: KeptTopic,
    private readonly wake: () => void,
    private readonly closed: () => void,
  ) {}

  assign({ topic, partition }: TopicPartition, from: Offset): void {
    if (topic === this.control.topic) {
      this.#ofControl = this.control.reader(this.wake, from);
      return;
    }
    if (this.replay.inputs[topic] === undefined) throw new Error(`${topic}-${partition} is to be read from ${from}, and this log keeps nothing.`);
    this.#places.push({ topic, partition, position: from, isPaused: false });
    this.wake();
  }

  unassign(place: TopicPartition): void {
    this.pause(place);
  }

  pause(place: TopicPartition): void {
    this.#set(place, true);
  }

  resume(place: TopicPartition): void {
    this.#set(place, false);
    this.wake();
  }

  #set({ topic, partition }: TopicPartition, isPaused: boolean): void {
    for (const place of this.#places) if (place.topic === topic && place.partition === partition) place.isPaused = isPaused;
  }

  take(): LogChunk | undefined {
    if (this.#ofControl !== undefined) return this.#ofControl.take();
    for (const place of this.#places) {
      if (place.isPaused) continue;
      const { topic, partition } = place;
      const input = this.replay.inputs[topic]!;
      const records = input.next(partition);
      if (records === undefined) continue;
      for (let row = 0; row < records.count; row++) records.offset[row] = place.position++;
      return { topic, partition, records, nextOffset: offset(place.position), lastStable: offset(input.rows) };
    }
    return undefined;
  }

  close(): Promise<void> {
    this.closed();
    return this.#ofControl?.close() ?? Promise.resolve();
  }
}

/** A store that holds nothing, whatever is written to it. */
export class NowhereStore implements StateStore {
  readonly position: StorePosition | undefined = undefined;

  get(): undefined {
    return undefined;
  }

  getMany(keys: readonly Uint8Array[]): undefined[] {
    return new Array<undefined>(keys.length).fill(undefined);
  }

  *scan(): IterableIterator<never> {
    // It holds nothing.
  }

  apply(): Promise<void> {
    return Promise.resolve();
  }

  approximateSize(): number {
    return 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export const nowhere: StateBackendFactory = {
  kind: 'memory',
  open: () =>
    Promise.resolve({
      kind: 'memory' as const,
      open: () => Promise.resolve(new NowhereStore()),
      destroy: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
};
