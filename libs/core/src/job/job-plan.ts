import { errors } from '../errors/errors.js';
import { type Incarnation, taskIndex } from '../model/brands.js';
import type { TopicDescription } from '../ports/log.js';
import { PlacementCheck } from '../task/placement-check.js';
import type { ChangelogTopic, InputTopic, TaskPlan } from '../task/task-plan.js';
import { type JobGraph, type Node, type SinkNode, type SourceNode, sourceOf } from '../topology/graph.js';
import { type CompiledSettings, defaultParallelism } from './compile-settings.js';
import { changelogTopic, transactionalId } from './internal-topics.js';

/**
 * From a graph to tasks, in two pure steps around the one look at the log:
 *
 *   1. `cutGraph`: the sub-topologies, each the nodes that are joined without a shuffle
 *   2. (the job describes the topics that these name, and creates the changelogs)
 *   3. `planSubTopology`, `planTasks`: how many tasks each has, and what each task is
 */
export interface SubTopology {
  readonly index: number;
  readonly nodes: readonly Node[];
  readonly sources: readonly SourceNode[];
  readonly sinks: readonly SinkNode[];
}

/** Sub-topologies in the order of their first source. Without shuffles, one for each source. */
export function cutGraph(graph: JobGraph): SubTopology[] {
  const sources = graph.nodes.filter((node) => node.kind === 'source');
  return sources.map((source, index) => {
    const nodes = graph.nodes.filter((node) => sourceOf(node) === source);
    return { index, nodes, sources: [source], sinks: nodes.filter((node) => node.kind === 'sink') };
  });
}

export interface PlannedSubTopology extends SubTopology {
  readonly parallelism: number;
  readonly inputs: readonly InputTopic[];
  readonly changelog: string;
}

/**
 * @param topics of every source of the sub-topology
 * @throws WeirError `invalid` PARTITION_COUNTS_DIFFER, PARALLELISM_TOO_HIGH
 */
export function planSubTopology(
  job: string,
  subTopology: SubTopology,
  settings: CompiledSettings,
  incarnation: Incarnation,
  topics: ReadonlyMap<string, TopicDescription>,
): PlannedSubTopology {
  const inputs = subTopology.sources.map((source): InputTopic => {
    const { topic, topicId, partitions } = topics.get(source.topic.topic)!;
    return { source, topic, topicId, partitions };
  });
  const [{ topic, partitions }] = inputs as [InputTopic, ...InputTopic[]];
  if (inputs.some((input) => input.partitions !== partitions)) {
    throw errors.partitionCountsDiffer({ job, counts: inputs.map((input) => `${input.topic} has ${input.partitions}`).join(', ') });
  }
  const parallelism = settings.parallelism ?? defaultParallelism(partitions);
  if (parallelism > partitions) throw errors.parallelismTooHigh({ parallelism, partitions, topic });
  return { ...subTopology, parallelism, inputs, changelog: changelogTopic(settings.applicationId, incarnation, subTopology.index) };
}

export interface PlanFacts {
  readonly job: string;
  readonly settings: CompiledSettings;
  readonly incarnation: Incarnation;
  readonly changelog: TopicDescription;
  readonly outputPartitions: ReadonlyMap<string, number>;
}

/** The tasks of a sub-topology; they share what is checked per job. */
export function planTasks(planned: PlannedSubTopology, { job, settings, incarnation, changelog, outputPartitions }: PlanFacts): TaskPlan[] {
  const placements = placementsOf(planned);
  return Array.from({ length: planned.parallelism }, (_, index): TaskPlan => {
    const { topic, topicId, deleteRetentionMs } = changelog;
    const own: ChangelogTopic = { topic, topicId, partition: index, deleteRetentionMs };
    return {
      job,
      settings,
      incarnation,
      subTopology: planned.index,
      task: taskIndex(index),
      parallelism: planned.parallelism,
      nodes: planned.nodes,
      inputs: planned.inputs,
      outputPartitions,
      placements,
      changelog: own,
      transactionalId: transactionalId(settings.applicationId, planned.index, index),
    };
  });
}

function placementsOf({ nodes, inputs }: PlannedSubTopology): ReadonlyMap<number, PlacementCheck> {
  const placements = new Map<number, PlacementCheck>();
  for (const node of nodes) {
    if (node.kind !== 'keyBy') continue;
    const input = inputs.find(({ source }) => source === sourceOf(node))!;
    placements.set(node.id, new PlacementCheck(input.topic, input.partitions, node.alreadyPartitioned));
  }
  return placements;
}
