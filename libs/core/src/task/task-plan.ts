import type { CompiledSettings } from '../job/compile-settings.js';
import type { PlacementCheck } from './placement-check.js';
import type { Incarnation, TaskIndex } from '../model/brands.js';
import type { StoreScope } from '../ports/state-backend.js';
import type { Node, ShuffleNode, SourceNode } from '../topology/graph.js';
import { taskId } from '../job/internal-topics.js';

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
  /** Where its shuffles write; every commit with a barrier sends it to each partition of each. */
  readonly repartitionOutputs: readonly RepartitionOutput[];
  /** Partition count of each topic that a sink writes, and of each that takes dead letters. */
  readonly sinkPartitions: ReadonlyMap<string, number>;
  /** Of each keyBy on an already partitioned topic, by its node id: shared by the tasks of the job in this process. */
  readonly placements: ReadonlyMap<number, PlacementCheck>;
  readonly changelog: ChangelogTopic;
  readonly transactionalId: string;
}

interface InputBase {
  readonly topic: string;
  readonly topicId: string;
  /** Of the whole topic; the task owns those q with q mod parallelism = task. */
  readonly partitions: number;
}

export interface SourceInput extends InputBase {
  readonly type: 'source';
  readonly source: SourceNode;
}

export interface RepartitionInput extends InputBase {
  readonly type: 'repartition';
  readonly node: ShuffleNode;
  /** The upstream tasks, each of which sends its barriers to every partition; their order is that of `barriers` in the epoch record. */
  readonly writers: readonly string[];
}

/** A topic that every task reads whole (R9). */
export interface BroadcastInput extends InputBase {
  readonly type: 'broadcast';
  readonly source: SourceNode;
}

export type InputTopic = SourceInput | RepartitionInput | BroadcastInput;

export interface RepartitionOutput {
  readonly node: ShuffleNode;
  readonly topic: string;
  readonly partitions: number;
}

export interface ChangelogTopic {
  readonly topic: string;
  readonly topicId: string;
  /** The task's own. */
  readonly partition: number;
  readonly deleteRetentionMs: number;
}

/** The partitions of an input that a task reads. */
export function ownedPartitions(plan: TaskPlan, input: InputTopic): number[] {
  const owned: number[] = [];
  if (input.type === 'broadcast') return Array.from({ length: input.partitions }, (_, partition) => partition);
  for (let partition: number = plan.task; partition < input.partitions; partition += plan.parallelism) owned.push(partition);
  return owned;
}

/** Short name of a task: `sub-topology-task`. */
export const taskName = (plan: Pick<TaskPlan, 'subTopology' | 'task'>): string => taskId(plan.subTopology, plan.task);

/** Where a backend keeps the task's store. */
export const scopeOf = ({ settings, incarnation, subTopology, task }: TaskPlan): StoreScope => {
  return { applicationId: settings.applicationId, incarnation, subTopology, task };
};

/** Whether the task's rounds concern it alone: it neither reads nor writes a repartition topic (R8). */
export const isSingleStage = ({ inputs, repartitionOutputs }: TaskPlan): boolean => repartitionOutputs.length === 0 && inputs.every(({ type }) => type !== 'repartition');
