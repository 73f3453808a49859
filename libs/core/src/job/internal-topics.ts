import type { Incarnation } from '../model/brands.js';
import type { TopicSpec } from '../ports/log.js';

/**
 * Names and settings of the topics and ids that Weir makes for itself. Their one home: they are found again by name, so none ever changes.
 *
 *   changelog          <application id>-<incarnation>-<sub-topology>-changelog     compacted, one partition per task
 *   repartition topic  <application id>-<incarnation>-<name of the shuffle>-repartition   kept until its reader has committed it
 *   control topic      <application id>-control                                    compacted, one partition; of every incarnation
 *   transactional id   <application id>-<sub-topology>-<task>                      static: the next owner's claim ends the last one's work
 *   coordinator's id   <application id>-coordinator
 *   consumer group     <application id>
 *
 * The numbers of changelogs and ids stand last and in a fixed count, so that no two applications share one, even where one's id begins
 * with the other's. For the same reason the name of a shuffle has no number followed by "-" (topology/stream-builder.ts).
 */
export const changelogTopic = (applicationId: string, incarnation: Incarnation, subTopology: number): string =>
  `${applicationId}-${incarnation}-${subTopology}-changelog`;

export const repartitionTopic = (applicationId: string, incarnation: Incarnation, shuffle: string): string => `${applicationId}-${incarnation}-${shuffle}-repartition`;

/** Short name of a task within its job, in messages, metrics and barriers. */
export const taskId = (subTopology: number, task: number): string => `${subTopology}-${task}`;

export const transactionalId = (applicationId: string, subTopology: number, task: number): string => `${applicationId}-${taskId(subTopology, task)}`;

export const controlTopic = (applicationId: string): string => `${applicationId}-control`;

export const coordinatorId = (applicationId: string): string => `${applicationId}-coordinator`;

export const groupId = (applicationId: string): string => applicationId;

/** What the settings say of internal topics that are to be created. */
export interface InternalTopicOptions {
  /** The most that an entry of state, or a shuffled record, takes. */
  readonly maxMessageBytes: number;
  /** -1: the log's default. */
  readonly replicationFactor: number;
}

export const changelogSpec = (topic: string, partitions: number, { maxMessageBytes, replicationFactor }: InternalTopicOptions): TopicSpec => ({
  topic,
  partitions,
  replicationFactor,
  config: { 'cleanup.policy': 'compact', 'max.message.bytes': String(maxMessageBytes) },
});

/** Nothing is deleted but by the reader, which purges what it has committed. */
export const repartitionSpec = (topic: string, partitions: number, { maxMessageBytes, replicationFactor }: InternalTopicOptions): TopicSpec => ({
  topic,
  partitions,
  replicationFactor,
  config: { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1', 'max.message.bytes': String(maxMessageBytes) },
});

export const controlSpec = (topic: string, { replicationFactor }: InternalTopicOptions): TopicSpec => ({ topic, partitions: 1, replicationFactor, config: { 'cleanup.policy': 'compact' } });
