import {
  type Append, type AppendResult, type Log, type LogAppender, type LogChunk, type LogFactory, type LogReader, type LogTransaction, type LogWriter, offset,
  type PartitionEnds, type ReaderOptions, type RecordColumns, type StateBackendFactory, type StateStore, type StorePosition,
  type TopicDescription, type TopicPartition,
} from '@weir/core';

/**
 * A log of one input partition whose chunks lie ready in memory, and which takes every write and keeps none: what a job costs when reading
 * and writing cost nothing. With `nowhere`, a state backend of the same kind.
 */
export interface Replay {
  readonly input: string;
  readonly chunks: readonly RecordColumns[];
  /** The first chunk is about to be handed out. */
  readonly onBegin: () => void;
  /** The last chunk was processed. */
  readonly onEnd: () => void;
}

export const replayLog = (replay: Replay): LogFactory => ({ open: () => Promise.resolve(new ReplayLog(replay)) });

class ReplayLog implements Log {
  constructor(private readonly replay: Replay) {}

  ensureTopics(): Promise<void> {
    return Promise.resolve();
  }

  describeTopic(topic: string): Promise<TopicDescription> {
    return Promise.resolve({ topic, topicId: topic, partitions: 1, deleteRetentionMs: 86_400_000 });
  }

  /** Everything but the input is empty. */
  endPositions(partitions: readonly TopicPartition[]): Promise<PartitionEnds[]> {
    const rows = this.replay.chunks.reduce((sum, { count }) => sum + count, 0);
    return Promise.resolve(
      partitions.map((place) => {
        const end = offset(place.topic === this.replay.input ? rows : 0);
        return { ...place, start: offset(0), lastStable: end, highWatermark: end, leaderEpoch: 0 };
      }),
    );
  }

  epochEnd(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  deleteRecordsBefore(): Promise<void> {
    return Promise.resolve();
  }

  openReader({ wake }: ReaderOptions): LogReader {
    return new ReplayReader(this.replay, wake);
  }

  openWriter({ transactionalId }: { readonly transactionalId: string }): Promise<LogWriter> {
    return Promise.resolve({ transactionalId, begin: () => NOWHERE, close: () => Promise.resolve() });
  }

  openAppender(): Promise<LogAppender> {
    return Promise.resolve({ append: (appends) => NOWHERE.append(appends), close: () => Promise.resolve() });
  }

  joinGroup(): never {
    throw new Error('the benchmark has one replica, and no group');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class ReplayReader implements LogReader {
  #next = 0;
  #position = 0;
  #isAssigned = false;

  constructor(
    private readonly replay: Replay,
    private readonly wake: () => void,
  ) {}

  assign({ topic }: TopicPartition): void {
    this.#isAssigned = topic === this.replay.input;
  }

  unassign(): void {
    this.#isAssigned = false;
  }

  pause(): void {
    this.#isAssigned = false;
  }

  resume(): void {
    this.#isAssigned = true;
    this.wake();
  }

  take(): LogChunk | undefined {
    const { chunks, input, onBegin, onEnd } = this.replay;
    if (!this.#isAssigned) return undefined;
    if (this.#next === 0) onBegin();
    const records = chunks[this.#next];
    if (records === undefined) {
      if (this.#next++ === chunks.length) onEnd();
      return undefined;
    }
    this.#next++;
    this.#position += records.count;
    return { topic: input, partition: 0, records, nextOffset: offset(this.#position), lastStable: offset(this.#position) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const NOWHERE: LogTransaction = {
  append: (appends: readonly Append[]) =>
    Promise.resolve(
      appends.map(({ topic, partition, records }): AppendResult => ({ topic, partition, firstOffset: offset(0), nextOffset: offset(records.count), leaderEpoch: 0 })),
    ),
  addOffsets: () => Promise.resolve(),
  commit: () => Promise.resolve(),
  abort: () => Promise.resolve(),
};

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
