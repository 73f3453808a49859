import type { Incarnation } from '../model/brands.js';
import type { TopicSpec } from '../ports/log.js';

/**
 * Names and settings of the topics and ids that Weir makes for itself. Their one home: they are found again by name, so none ever changes.
 *
 *   changelog          <application id>-<incarnation>-<sub-topology>-changelog     compacted, one partition per task
 *   transactional id   <application id>-<sub-topology>-<task>                      static: the next owner's claim ends the last one's work
 *   consumer group     <application id>
 *
 * The numbers stand last and in a fixed count, so that no two applications share a name, even where one's id begins with the other's.
 */
export const changelogTopic = (applicationId: string, incarnation: Incarnation, subTopology: number): string =>
  `${applicationId}-${incarnation}-${subTopology}-changelog`;

export const transactionalId = (applicationId: string, subTopology: number, task: number): string => `${applicationId}-${subTopology}-${task}`;

export const groupId = (applicationId: string): string => applicationId;

export const changelogSpec = (topic: string, partitions: number): TopicSpec => ({ topic, partitions, config: { 'cleanup.policy': 'compact' } });
