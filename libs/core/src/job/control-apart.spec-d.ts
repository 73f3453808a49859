import { InMemoryCluster, type ManualClock } from '@weir/testing';
import type { Offset } from '../model/brands.js';
import type { TopicPartition } from '../model/topic-partition.js';
import type { Log, LogReader, ReaderOptions } from '../ports/log.js';
import { controlTopic, coordinatorId } from './internal-topics.js';

/** A fake log whose control topic is real, on the in-memory log: for specs of a job that say what its other topics do. */
export function withControl(fake: Log, applicationId: string, clock: ManualClock): Log {
  const control = new InMemoryCluster({ clock }).log({ clock, clientId: applicationId });
  const name = controlTopic(applicationId);
  return {
    ensureTopics: async (topics) => {
      await control.ensureTopics(topics.filter(({ topic }) => topic === name));
      const others = topics.filter(({ topic }) => topic !== name);
      if (others.length > 0) await fake.ensureTopics(others);
    },
    describeTopic: (topic) => (topic === name ? control : fake).describeTopic(topic),
    endPositions: (partitions) => (partitions.some(({ topic }) => topic === name) ? control : fake).endPositions(partitions),
    epochEnd: (partition, epoch) => fake.epochEnd(partition, epoch),
    deleteRecordsBefore: (partitions) => fake.deleteRecordsBefore(partitions),
    deleteTopics: (topics) => fake.deleteTopics(topics),
    openReader: (options) => new LateReader(options, (topic) => (topic === name ? control : fake)),
    openWriter: (options) => (options.transactionalId === coordinatorId(applicationId) ? control : fake).openWriter(options),
    openAppender: () => control.openAppender(),
    joinGroup: (options) => control.joinGroup(options),
    close: async () => {
      await control.close();
      await fake.close();
    },
  };
}

/** Opened where its first partition lies. */
class LateReader implements LogReader {
  #reader: LogReader | undefined;

  constructor(
    private readonly options: ReaderOptions,
    private readonly logOf: (topic: string) => Log,
  ) {}

  assign(partition: TopicPartition, from: Offset): void {
    this.#reader ??= this.logOf(partition.topic).openReader(this.options);
    this.#reader.assign(partition, from);
  }
  unassign(partition: TopicPartition): void {
    this.#reader?.unassign(partition);
  }
  pause(partition: TopicPartition): void {
    this.#reader?.pause(partition);
  }
  resume(partition: TopicPartition): void {
    this.#reader?.resume(partition);
  }
  take(): ReturnType<LogReader['take']> {
    return this.#reader?.take();
  }
  async close(): Promise<void> {
    await this.#reader?.close();
  }
}
