import {
  offset,
  type GroupMember,
  type GroupOptions,
  type Log,
  type LogAppender,
  type LogContext,
  type LogReader,
  type LogWriter,
  type Offset,
  type PartitionEnds,
  type PartitionOffset,
  type ReaderOptions,
  type TopicDescription,
  type TopicPartition,
  type TopicSpec,
  type WriterOptions,
} from '@weir/core';
import { errors } from '../errors.js';
import type { ClientChannel } from './client-channel.js';
import type { LogCall } from './fault-plan.js';
import { MemoryAppender } from './memory-appender.js';
import type { GroupCoordinator } from './group-coordinator.js';
import { joinMemoryGroup } from './memory-group.js';
import { MemoryReader, type ReaderBroker } from './memory-reader.js';
import { MemoryWriter, type WriterBroker } from './memory-writer.js';
import type { PartitionLog } from './partition-log.js';
import type { BUSY, ProducerIdentity } from './transaction-coordinator.js';

/** What a client needs of the cluster. */
export interface LogBroker extends ReaderBroker, WriterBroker {
  readonly groups: GroupCoordinator;
  createTopic(spec: TopicSpec): void;
  deleteTopic(topic: string): void;
  describe(topic: string): TopicDescription | undefined;
  log(act: string, topic: string, partition: number): PartitionLog;
  topicLimits(topic: string): ReturnType<WriterBroker['topicLimits']> & { readonly deletable: boolean };
  claim(transactionalId: string, timeoutMs: number): ProducerIdentity | typeof BUSY;
}

/** One client of an InMemoryCluster: what a Kafka client is to a broker. Made by `cluster.log(context)`. */
export class InMemoryLog implements Log {
  readonly #readers = new Set<LogReader>();
  readonly #writers = new Set<LogWriter>();
  readonly #members: GroupMember[] = [];

  constructor(
    readonly context: LogContext,
    private readonly channel: ClientChannel,
    private readonly broker: LogBroker,
  ) {}

  ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.#call('ensureTopics', [], () => {
      for (const { topic, partitions } of topics) {
        const found = this.broker.describe(topic)?.partitions ?? partitions;
        if (found !== partitions) throw errors.partitionCountDiffers({ topic, wanted: partitions, found });
      }
      for (const spec of topics) if (this.broker.describe(spec.topic) === undefined) this.broker.createTopic(spec);
    });
  }

  describeTopic(topic: string): Promise<TopicDescription | undefined> {
    return this.#call('describeTopic', [], () => this.broker.describe(topic));
  }

  endPositions(partitions: readonly TopicPartition[]): Promise<readonly PartitionEnds[]> {
    return this.#call('endPositions', partitions, () =>
      partitions.map(({ topic, partition }) => endsOf(this.broker.log('look up the ends of', topic, partition))),
    );
  }

  epochEnd(partition: TopicPartition, leaderEpoch: number): Promise<Offset | undefined> {
    return this.#call('epochEnd', [partition], () => {
      const end = this.broker.log('look up a leader epoch of', partition.topic, partition.partition).epochEnd(leaderEpoch);
      return end === undefined ? undefined : offset(end);
    });
  }

  deleteRecordsBefore(partitions: readonly PartitionOffset[]): Promise<void> {
    return this.#call('deleteRecords', partitions, () => {
      for (const { topic, partition, offset: before } of partitions) {
        const log = this.broker.log('delete records of', topic, partition);
        if (!this.broker.topicLimits(topic).deletable) throw errors.recordsKept({ topic });
        if (before > log.highWatermark) throw errors.deletionOutOfRange({ topic, partition, offset: before, end: log.highWatermark });
        log.deleteBefore(before);
      }
    });
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.#call('deleteTopics', topics.map((topic) => ({ topic, partition: 0 })), () => {
      for (const topic of topics) if (this.broker.describe(topic) !== undefined) this.broker.deleteTopic(topic);
    });
  }

  openReader(options: ReaderOptions): LogReader {
    if (this.channel.isClosed) throw this.channel.closedError('open a reader');
    const reader = new MemoryReader(options, this.channel, this.broker);
    this.#readers.add(reader);
    return reader;
  }

  async openWriter({ transactionalId, transactionTimeoutMs }: WriterOptions): Promise<LogWriter> {
    const facts = { call: 'openWriter', clientId: this.context.clientId, transactionalId, partitions: [] } as const;
    const identity = await this.channel.call(facts, () => this.broker.claim(transactionalId, transactionTimeoutMs));
    const writer = new MemoryWriter(identity, this.channel, this.broker);
    this.#writers.add(writer);
    return writer;
  }

  async openAppender(): Promise<LogAppender> {
    await this.#call('openAppender', [], () => undefined);
    return new MemoryAppender(this.channel, this.broker);
  }

  joinGroup(options: GroupOptions): GroupMember {
    if (this.channel.isClosed) throw this.channel.closedError('join a group');
    const member = joinMemoryGroup(this.channel, this.broker.groups, options);
    this.#members.push(member);
    return member;
  }

  async close(): Promise<void> {
    await this.channel.alive();
    this.channel.close();
    for (const member of this.#members) member.close();
    for (const reader of this.#readers) await reader.close();
    this.#readers.clear();
    this.#writers.clear();
  }

  /** As if the process had been ended by SIGKILL: no call of this client takes effect any more, and none of its promises settles. */
  kill(): void {
    this.channel.kill();
  }

  get isAlive(): boolean {
    return !this.channel.isDead;
  }

  #call<T>(call: LogCall, partitions: readonly TopicPartition[], effect: () => T): Promise<T> {
    return this.channel.call({ call, clientId: this.context.clientId, partitions }, effect);
  }
}

export const endsOf = ({ topic, partition, start, lastStable, highWatermark, leaderEpoch }: PartitionLog): PartitionEnds => ({
  topic,
  partition,
  start: offset(start),
  lastStable: offset(lastStable),
  highWatermark: offset(highWatermark),
  leaderEpoch,
});
