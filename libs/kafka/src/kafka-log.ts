import {
  type Clock,
  type GroupMember,
  type GroupOptions,
  type Log,
  type LogAppender,
  type LogContext,
  type LogFactory,
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
import { Deletions } from './admin/deletions.js';
import { Positions } from './admin/positions.js';
import { Topics } from './admin/topics.js';
import { errors } from './errors.js';
import { Fetcher } from './fetch/fetcher.js';
import { KafkaReader } from './fetch/reader.js';
import { joinKafkaGroup } from './membership/kafka-group.js';
import { checkOptions, type KafkaOptions, type KafkaSettings } from './options.js';
import { KafkaAppender } from './transaction/kafka-appender.js';
import { KafkaWriter } from './transaction/kafka-writer.js';
import { Producer } from './transaction/producer.js';
import { TopicLimits } from './transaction/batch-limits.js';
import { Cluster } from './wire/cluster.js';
import { KafkaJsWire } from './wire/kafkajs-wire.js';
import type { Wire } from './wire/wire.js';

/**
 * Kafka as the log of a job.
 * @throws WeirError `invalid` at once if an option is wrong; `open` connects to nothing yet
 */
export function kafka(options: KafkaOptions): LogFactory {
  const settings = checkOptions(options);
  return {
    open: ({ clock, clientId }: LogContext) => Promise.resolve(new KafkaLog(new KafkaJsWire(settings, clientId, clock), settings, clock)),
  };
}

/** A Log on another wire: the seam at which specs put faults between this library and a cluster. */
export function kafkaLogOn(wire: Wire, options: KafkaOptions, clock: Clock): Log {
  return new KafkaLog(wire, checkOptions(options), clock);
}

/** Joins the parts that make up a Log. It owns which readers, writers and memberships are open, and nothing else. */
class KafkaLog implements Log {
  readonly #cluster: Cluster;
  readonly #topics: Topics;
  readonly #positions: Positions;
  readonly #deletions: Deletions;
  readonly #fetcher: Fetcher;
  readonly #limits: TopicLimits;
  readonly #readers = new Set<KafkaReader>();
  readonly #writers = new Set<KafkaWriter>();
  readonly #members: GroupMember[] = [];
  #openedWriters = 0;
  #closed = false;

  constructor(
    wire: Wire,
    private readonly settings: KafkaSettings,
    private readonly clock: Clock,
  ) {
    this.#cluster = new Cluster(wire, clock);
    this.#topics = new Topics(this.#cluster, settings.requestTimeoutMs);
    this.#positions = new Positions(this.#cluster, settings.requestTimeoutMs);
    this.#deletions = new Deletions(this.#cluster, settings.requestTimeoutMs);
    this.#fetcher = new Fetcher(this.#cluster, this.#positions, clock);
    this.#limits = new TopicLimits(this.#topics);
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    this.#checkOpen('ensureTopics');
    await this.#topics.ensure(topics);
  }

  async describeTopic(topic: string): Promise<TopicDescription | undefined> {
    this.#checkOpen('describeTopic');
    return this.#topics.describe(topic);
  }

  async endPositions(partitions: readonly TopicPartition[]): Promise<readonly PartitionEnds[]> {
    this.#checkOpen('endPositions');
    return this.#positions.ends(partitions);
  }

  async epochEnd(partition: TopicPartition, leaderEpoch: number): Promise<Offset | undefined> {
    this.#checkOpen('epochEnd');
    return this.#positions.epochEnd(partition, leaderEpoch);
  }

  async deleteRecordsBefore(partitions: readonly PartitionOffset[]): Promise<void> {
    this.#checkOpen('deleteRecordsBefore');
    await this.#deletions.before(partitions);
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    this.#checkOpen('deleteTopics');
    await this.#topics.delete(topics);
  }

  openReader(options: ReaderOptions): LogReader {
    this.#checkOpen('openReader');
    const reader = new KafkaReader(options, this.#fetcher, this.clock, (closed) => this.#readers.delete(closed));
    this.#readers.add(reader);
    return reader;
  }

  async openWriter(options: WriterOptions): Promise<LogWriter> {
    this.#checkOpen('openWriter');
    const slot = this.#openedWriters++ % this.settings.produceConnections;
    const { requestTimeoutMs, transactionVersion } = this.settings;
    const version = transactionVersion === 'auto' ? await this.#cluster.transactionVersion(requestTimeoutMs) : transactionVersion;
    const producer = new Producer(this.#cluster, options, `produce-${slot}`, requestTimeoutMs, version);
    await producer.claim();
    const parts = { cluster: this.#cluster, settings: this.settings, limits: this.#limits, producer, options };
    const writer = new KafkaWriter(parts, (closed) => this.#writers.delete(closed));
    this.#writers.add(writer);
    return writer;
  }

  async openAppender(): Promise<LogAppender> {
    this.#checkOpen('openAppender');
    const slot = this.#openedWriters++ % this.settings.produceConnections;
    const appender = new KafkaAppender(this.#cluster, this.settings, this.#limits, `produce-${slot}`);
    await appender.open();
    return appender;
  }

  joinGroup(options: GroupOptions): GroupMember {
    this.#checkOpen('joinGroup');
    const member = joinKafkaGroup(this.#cluster, options, `group-${this.#members.length}`);
    this.#members.push(member);
    return member;
  }

  #checkOpen(act: string): void {
    if (this.#closed) throw errors.closed({ act });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const member of this.#members) member.close();
    for (const reader of [...this.#readers]) await reader.close();
    for (const writer of this.#writers) writer.abandon();
    this.#fetcher.close();
    await this.#cluster.close();
  }
}
