import type { Clock, TopicDescription, TopicSpec } from '@weir/core';
import { errors } from '../errors.js';
import { PartitionLog } from './partition-log.js';

/** A topic and its partitions. */
export interface Topic {
  readonly topic: string;
  readonly id: string;
  readonly logs: readonly PartitionLog[];
  readonly compacted: boolean;
  /** Whether records may be deleted by age, by size or on request. */
  readonly deletable: boolean;
  readonly deleteRetentionMs: number;
  readonly maxMessageBytes: number;
}

/** The topics of a cluster by name. A topic that is deleted and created again gets another id. */
export class TopicRegistry {
  readonly #topics = new Map<string, Topic>();

  constructor(private readonly clock: Clock) {}

  create({ topic, partitions, config, replicationFactor = -1 }: TopicSpec): void {
    const refuse = (problem: string): never => {
      throw errors.clusterMisused({ act: `create topic ${topic}`, problem });
    };
    if (this.#topics.has(topic)) refuse('it exists');
    if (!Number.isInteger(partitions) || partitions < 1) refuse(`it needs at least one partition, and ${partitions} were asked for`);
    if (replicationFactor !== -1 && replicationFactor !== BROKERS) refuse(`it cannot have ${replicationFactor} replicas of each partition: this cluster has ${BROKERS} broker`);
    const id = this.clock.newId();
    const policies = (config['cleanup.policy'] ?? 'delete').split(',');
    this.#topics.set(topic, {
      topic,
      id,
      logs: Array.from({ length: partitions }, (_, partition) => new PartitionLog(topic, partition, id)),
      compacted: policies.includes('compact'),
      deletable: policies.includes('delete'),
      deleteRetentionMs: Number(config['delete.retention.ms'] ?? DEFAULT_DELETE_RETENTION_MS),
      maxMessageBytes: Number(config['max.message.bytes'] ?? DEFAULT_MAX_MESSAGE_BYTES),
    });
  }

  delete(topic: string): void {
    const found = this.get('delete', topic);
    this.#topics.delete(topic);
    for (const log of found.logs) log.wakeReaders();
  }

  /** As an operator does: the topic stays the same one. */
  addPartitions(topic: string, partitions: number): void {
    const found = this.get('add partitions to', topic);
    const added = Array.from({ length: partitions }, (_, i) => new PartitionLog(topic, found.logs.length + i, found.id));
    this.#topics.set(topic, { ...found, logs: [...found.logs, ...added] });
  }

  names(): readonly string[] {
    return [...this.#topics.keys()].sort();
  }

  describe(topic: string): TopicDescription | undefined {
    const found = this.#topics.get(topic);
    if (found === undefined) return undefined;
    return { topic, topicId: found.id, partitions: found.logs.length, deleteRetentionMs: found.deleteRetentionMs };
  }

  find(topic: string, partition: number): PartitionLog | undefined {
    return this.#topics.get(topic)?.logs[partition];
  }

  /** @throws WeirError `restart-task` LOG_PARTITION_MISSING */
  get(act: string, topic: string): Topic {
    const found = this.#topics.get(topic);
    if (found === undefined) throw errors.partitionMissing({ act, topic, partition: 0, partitions: 0 });
    return found;
  }

  /** @throws WeirError `restart-task` LOG_PARTITION_MISSING */
  log(act: string, topic: string, partition: number): PartitionLog {
    const log = this.find(topic, partition);
    if (log === undefined) throw errors.partitionMissing({ act, topic, partition, partitions: this.#topics.get(topic)?.logs.length ?? 0 });
    return log;
  }
}

/** The cluster is one broker. */
const BROKERS = 1;
/** Kafka's defaults. */
const DEFAULT_DELETE_RETENTION_MS = 86_400_000;
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;
