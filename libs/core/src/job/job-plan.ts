import { errors } from '../errors/errors.js';
import { type Incarnation, taskIndex } from '../model/brands.js';
import type { TopicDescription } from '../ports/log.js';
import { PartitionerChoice, PlacementCheck } from '../task/placement-check.js';
import type { BroadcastInput, InputTopic, RepartitionInput, RepartitionOutput, SourceInput, TaskPlan } from '../task/task-plan.js';
import { deadLetterTopicsOf } from '../topology/bad-record-checks.js';
import { isShuffle, keyGroups, type ShuffleNode, type SourceNode, sourcesOf } from '../topology/graph.js';
import { type CompiledSettings, defaultParallelism } from './compile-settings.js';
import { type SubTopology, upstreamOf } from './cut-graph.js';
import { changelogTopic, repartitionTopic, taskId, transactionalId } from './internal-topics.js';

/**
 * From sub-topologies to tasks, in two pure steps around the log:
 *
 *   1. `sizeSubTopologies`: how many partitions and tasks each has, from its inputs' topics
 *   2. (the job creates and describes the topics that these need)
 *   3. `planTasks`: what each task reads, writes and is called
 */
export interface SizedSubTopology extends SubTopology {
  /** Of each of its inputs. */
  readonly partitions: number;
  readonly parallelism: number;
}

export interface PlanContext {
  readonly job: string;
  readonly settings: CompiledSettings;
  readonly incarnation: Incarnation;
}

/** Descriptions of topics by name. */
export type Topics = ReadonlyMap<string, TopicDescription>;

/**
 * @param topics of every source
 * @throws WeirError `invalid` PARTITION_COUNTS_DIFFER, PARALLELISM_TOO_HIGH
 */
export function sizeSubTopologies(subTopologies: readonly SubTopology[], { job, settings }: Pick<PlanContext, 'job' | 'settings'>, topics: Topics): SizedSubTopology[] {
  const sized = new Map<SubTopology, SizedSubTopology>();
  const size = (sub: SubTopology): SizedSubTopology => {
    const found = sized.get(sub);
    if (found !== undefined) return found;
    const own = sourcePartitions(job, sub, topics);
    const partitions = own ?? Math.max(...sub.shufflesIn.flatMap((shuffle) => upstreamOf(shuffle, subTopologies).map((upstream) => size(upstream).partitions)));
    const parallelism = settings.parallelism ?? defaultParallelism(partitions);
    if (parallelism > partitions) throw errors.parallelismTooHigh({ parallelism, partitions, topic: nameOfInput(sub) });
    const made = { ...sub, partitions, parallelism };
    sized.set(sub, made);
    return made;
  };
  return subTopologies.map(size);
}

const nameOfInput = ({ sources, shufflesIn }: SubTopology): string => sources[0]?.topic.topic ?? shufflesIn[0]!.name;

/** The number of partitions that a sub-topology's sources have in common; undefined if it reads repartition topics alone. */
function sourcePartitions(job: string, { sources }: SubTopology, topics: Topics): number | undefined {
  const counts = sources.map((source) => topics.get(source.topic.topic)!);
  const [first] = counts;
  if (first !== undefined && counts.some(({ partitions }) => partitions !== first.partitions)) {
    throw errors.partitionCountsDiffer({ job, counts: counts.map(({ topic, partitions }) => `${topic} has ${partitions}`).join(', ') });
  }
  return first?.partitions;
}

/** The repartition topic of a shuffle, by the partitions of the sub-topology behind it. */
export function repartitionTopicsOf(sized: readonly SizedSubTopology[], { settings, incarnation }: PlanContext): { readonly topic: string; readonly partitions: number }[] {
  return sized.flatMap(({ shufflesIn, partitions }) =>
    shufflesIn.map((shuffle) => ({ topic: repartitionTopic(settings.applicationId, incarnation, shuffle.name), partitions })),
  );
}

/** The topics that dead letters of a sub-topology go to. A keyBy that shuffles is of the one that it ends. */
export const deadLettersOf = ({ nodes, shufflesOut }: SubTopology, { settings }: PlanContext): string[] =>
  deadLetterTopicsOf([...nodes.filter((node) => !isShuffle(node)), ...shufflesOut], settings.badRecords);

/** The tasks of all sub-topologies; those of one share what is checked per job. @param topics every topic that the job has to do with */
export function planTasks(sized: readonly SizedSubTopology[], context: PlanContext, topics: Topics): TaskPlan[] {
  return sized.flatMap((sub) => planSubTopology(sub, sized, context, topics));
}

function planSubTopology(sub: SizedSubTopology, all: readonly SizedSubTopology[], context: PlanContext, topics: Topics): TaskPlan[] {
  const { job, settings, incarnation } = context;
  const inputs: InputTopic[] = [
    ...sub.sources.map((source) => topicInput('source', source, topics)),
    ...sub.broadcasts.map((source) => topicInput('broadcast', source, topics)),
    ...sub.shufflesIn.map((shuffle) => repartitionInput(shuffle, all, context, topics)),
  ];
  const outputs = sub.shufflesOut.map((node): RepartitionOutput => {
    const { topic, partitions } = topics.get(repartitionTopic(settings.applicationId, incarnation, node.name))!;
    return { node, topic, partitions };
  });
  const { topic, topicId, deleteRetentionMs } = topics.get(changelogTopic(settings.applicationId, incarnation, sub.index))!;
  const shared = {
    job,
    settings,
    incarnation,
    subTopology: sub.index,
    parallelism: sub.parallelism,
    nodes: sub.nodes,
    inputs,
    repartitionOutputs: outputs,
    sinkPartitions: new Map([...sub.sinks.map((sink) => sink.topic.topic), ...deadLettersOf(sub, context)].map((name) => [name, topics.get(name)!.partitions])),
    placements: placementsOf(sub, topics),
  };
  return Array.from({ length: sub.parallelism }, (_, index): TaskPlan => {
    const changelog = { topic, topicId, partition: index, deleteRetentionMs };
    return { ...shared, task: taskIndex(index), changelog, transactionalId: transactionalId(settings.applicationId, sub.index, index) };
  });
}

function topicInput(type: 'source' | 'broadcast', source: SourceNode, topics: Topics): SourceInput | BroadcastInput {
  const { topic, topicId, partitions } = topics.get(source.topic.topic)!;
  return { type, source, topic, topicId, partitions };
}

function repartitionInput(node: ShuffleNode, all: readonly SizedSubTopology[], { settings, incarnation }: PlanContext, topics: Topics): RepartitionInput {
  const { topic, topicId, partitions } = topics.get(repartitionTopic(settings.applicationId, incarnation, node.name))!;
  const writers = all
    .filter(({ shufflesOut }) => shufflesOut.includes(node))
    .flatMap((upstream) => Array.from({ length: upstream.parallelism }, (_, index) => taskId(upstream.index, index)));
  return { type: 'repartition', node, topic, topicId, partitions, writers };
}

function placementsOf({ nodes }: SizedSubTopology, topics: Topics): ReadonlyMap<number, PlacementCheck> {
  const placements = new Map<number, PlacementCheck>();
  for (const group of keyGroups(nodes)) {
    const choice = new PartitionerChoice(group.map(({ distribution }) => (distribution.type === 'shuffle' ? 'murmur2' : distribution.by.partitioner)));
    for (const keyBy of group) {
      if (keyBy.distribution.type === 'shuffle') continue;
      const [source] = sourcesOf(keyBy);
      const { topic, partitions } = topics.get(source!.topic.topic)!;
      const beside = group.filter((other) => other !== keyBy).map(({ name }) => `"${name}"`);
      placements.set(keyBy.id, new PlacementCheck(topic, partitions, keyBy.distribution.by, beside.length === 0 ? undefined : { choice, beside: beside.join(' and ') }));
    }
  }
  return placements;
}
