import type { CompiledSettings } from '../job/compile-settings.js';
import type { PlacementCheck } from './placement-check.js';
import type { Incarnation, TaskIndex } from '../model/brands.js';
import type { Node, SourceNode } from '../topology/graph.js';

/** What a task is, fixed before it starts: made by the job (job/job-plan.ts), read by everything in task/. */
export interface TaskPlan {
  readonly job: string;
  readonly settings: CompiledSettings;
  readonly incarnation: Incarnation;
  readonly subTopology: number;
  readonly task: TaskIndex;
  readonly parallelism: number;
  /** Nodes of the sub-topology, an input before its readers. */
  readonly nodes: readonly Node[];
  readonly inputs: readonly InputTopic[];
  /** Partition count of each topic that a sink writes. */
  readonly outputPartitions: ReadonlyMap<string, number>;
  /** Of each keyBy, by its node id: shared by the tasks of the job in this process. */
  readonly placements: ReadonlyMap<number, PlacementCheck>;
  readonly changelog: ChangelogTopic;
  readonly transactionalId: string;
}

export interface InputTopic {
  readonly source: SourceNode;
  readonly topic: string;
  readonly topicId: string;
  /** Of the whole topic; the task owns those q with q mod parallelism = task. */
  readonly partitions: number;
}

export interface ChangelogTopic {
  readonly topic: string;
  readonly topicId: string;
  /** The task's own. */
  readonly partition: number;
  readonly deleteRetentionMs: number;
}

/** The partitions of an input that a task owns. */
export function ownedPartitions(plan: TaskPlan, input: InputTopic): number[] {
  const owned: number[] = [];
  for (let partition: number = plan.task; partition < input.partitions; partition += plan.parallelism) owned.push(partition);
  return owned;
}

/** Short name of a task in messages and metrics: `sub-topology-task`. */
export const taskName = (plan: Pick<TaskPlan, 'subTopology' | 'task'>): string => `${plan.subTopology}-${plan.task}`;
