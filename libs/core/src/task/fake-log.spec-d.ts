import { offset, type Offset } from '../model/brands.js';
import { partitionName, type PartitionOffset, type TopicPartition } from '../model/topic-partition.js';
import type {
  Append,
  AppendResult,
  Log,
  LogChunk,
  LogReader,
  LogTransaction,
  LogWriter,
  PartitionEnds,
  ReaderOptions,
  TopicDescription,
  TopicSpec,
} from '../ports/log.js';
import type { GroupMembership } from '../ports/membership.js';

/** A log that says what a spec tells it to, and writes down what it is asked for. */
export class FakeLog implements Log {
  readonly ends = new Map<string, PartitionEnds>();
  readonly topics = new Map<string, TopicDescription>();
  readonly readers: FakeReader[] = [];
  readonly writers: FakeWriter[] = [];
  readonly created: TopicSpec[] = [];
  readonly deleted: PartitionOffset[] = [];
  /** End of every leader epoch asked for. */
  epochEndIs: Offset | undefined = offset(Number.MAX_SAFE_INTEGER);
  /** Thrown by the next call of a method, then gone. */
  readonly failures = new Map<'endPositions' | 'epochEnd' | 'describeTopic' | 'ensureTopics' | 'openWriter', Error>();
  endPositionCalls = 0;
  closed = false;
  readonly #writerOptions: Partial<FakeWriter>;

  constructor(writerOptions: Partial<FakeWriter> = {}) {
    this.#writerOptions = writerOptions;
  }

  setEnds(topic: string, partition: number, start: number, lastStable: number, highWatermark = lastStable): void {
    const at = { start: offset(start), lastStable: offset(lastStable), highWatermark: offset(highWatermark), leaderEpoch: 4 };
    this.ends.set(partitionName(topic, partition), { topic, partition, ...at });
  }

  #failIfAsked(method: 'endPositions' | 'epochEnd' | 'describeTopic' | 'ensureTopics' | 'openWriter'): void {
    const failure = this.failures.get(method);
    this.failures.delete(method);
    if (failure !== undefined) throw failure;
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    this.#failIfAsked('ensureTopics');
    this.created.push(...topics);
    for (const { topic, partitions } of topics) this.topics.set(topic, { topic, topicId: `id-of-${topic}`, partitions, deleteRetentionMs: 1_000 });
  }

  async deleteRecordsBefore(partitions: readonly PartitionOffset[]): Promise<void> {
    this.deleted.push(...partitions);
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.topics.delete(topic);
  }

  async describeTopic(topic: string): Promise<TopicDescription | undefined> {
    this.#failIfAsked('describeTopic');
    return this.topics.get(topic);
  }

  async endPositions(partitions: readonly TopicPartition[]): Promise<readonly PartitionEnds[]> {
    this.endPositionCalls++;
    this.#failIfAsked('endPositions');
    return partitions.map(({ topic, partition }) => this.ends.get(partitionName(topic, partition))!);
  }

  async epochEnd(): Promise<Offset | undefined> {
    this.#failIfAsked('epochEnd');
    return this.epochEndIs;
  }

  openReader(options: ReaderOptions): FakeReader {
    const reader = new FakeReader(options);
    this.readers.push(reader);
    return reader;
  }

  async openWriter({ transactionalId }: { readonly transactionalId: string }): Promise<FakeWriter> {
    this.#failIfAsked('openWriter');
    const writer = Object.assign(new FakeWriter(transactionalId), this.#writerOptions);
    this.writers.push(writer);
    return writer;
  }

  openAppender(): never {
    throw new Error('no spec appends outside of transactions');
  }

  joinGroup(): never {
    throw new Error('no task joins a group');
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Hands out the chunks that a spec feeds it, in their order. */
export class FakeReader implements LogReader {
  readonly assigned: PartitionOffset[] = [];
  readonly queue: (LogChunk | Error)[] = [];
  closed = false;

  constructor(readonly options: ReaderOptions) {}

  feed(...chunks: readonly (LogChunk | Error)[]): void {
    this.queue.push(...chunks);
    this.options.wake();
  }

  assign({ topic, partition }: TopicPartition, from: Offset): void {
    this.assigned.push({ topic, partition, offset: from });
  }

  take(): LogChunk | undefined {
    const next = this.queue.shift();
    if (next instanceof Error) throw next;
    return next;
  }

  unassign(): void {
    throw new Error('no spec unassigns');
  }
  pause(): void {
    throw new Error('no spec pauses');
  }
  resume(): void {
    throw new Error('no spec resumes');
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

export type WriterStep = 'begin' | 'append' | 'addOffsets' | 'commit' | 'abort' | 'close';

/** One transaction at a time, each step written down; a step may be made to fail, or to wait for the spec. */
export class FakeWriter implements LogWriter {
  readonly steps: string[] = [];
  /** The records of each append: the spec reads them before they are used again. */
  readonly appended: (readonly Append[])[] = [];
  /** What a step does before it is done: throw, wait, or let time pass. */
  before: (step: WriterStep) => Promise<void> | void = () => undefined;
  /** Where the next append to each partition begins; the first one at 100. */
  readonly #ends = new Map<string, number>();
  /** What appends are acknowledged as, if not as they are. */
  acknowledge: (result: AppendResult) => AppendResult = (result) => result;
  membership: GroupMembership | undefined;
  offsets: readonly PartitionOffset[] = [];

  constructor(readonly transactionalId: string) {}

  async #step(step: WriterStep, what = ''): Promise<void> {
    await this.before(step);
    this.steps.push(`${step}${what}`);
  }

  begin(): LogTransaction {
    this.steps.push('begin');
    return {
      append: (appends) => this.#append(appends),
      addOffsets: async (group, offsets) => {
        await this.#step('addOffsets');
        this.membership = group;
        this.offsets = offsets;
      },
      commit: () => this.#step('commit'),
      abort: () => this.#step('abort'),
    };
  }

  async #append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    await this.#step('append', appends.map(({ topic, partition, records }) => ` ${partitionName(topic, partition)}:${records.count}`).join(''));
    this.appended.push(appends);
    return appends.map(({ topic, partition, records }) => {
      const name = partitionName(topic, partition);
      const first = this.#ends.get(name) ?? 100;
      const next = first + records.count;
      this.#ends.set(name, next + 1); // the commit's marker
      return this.acknowledge({ topic, partition, firstOffset: offset(first), nextOffset: offset(next), leaderEpoch: 3 });
    });
  }

  async close(): Promise<void> {
    await this.#step('close');
  }
}
