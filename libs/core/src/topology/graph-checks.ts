import { errors, show } from '../errors/errors.js';
import { PARTITIONER_NAMES } from '../model/partitioner.js';
import { OUT_OF_RANGE_POLICIES } from './topic.js';
import { chainOf, inputsOf, isShuffle, type JobGraph, type KeyByNode, keyGroups, type Node } from './graph.js';

/** What a job graph must fulfil beyond what types say. @throws WeirError `invalid` TOPOLOGY_INVALID */
export function checkGraph({ job, nodes }: JobGraph): void {
  const refuse: Refuse = (problem, advice) => {
    throw errors.topologyInvalid({ job, problem, advice });
  };
  refuseNames(nodes, refuse);
  if (!nodes.some((node) => node.kind === 'source')) refuse('it has no source', 'Call streams.source(...) in define.');
  refuseEndsWithoutEffect(nodes, refuse);
  refuseTopicReadTwice(nodes, refuse);
  refuseBroadcastsReadOtherwise(nodes, refuse);
  refuseOutOfRangePolicies(nodes, refuse);
  for (const group of keyGroups(nodes)) refuseKeysThatLieOtherwise(group, refuse);
  for (const node of nodes) checkNames(node, refuse);
}

type Refuse = (problem: string, advice: string) => never;

function refuseNames(nodes: readonly Node[], refuse: Refuse): void {
  const names = new Set<string>();
  for (const { name } of nodes) {
    if (name === '') refuse('an operator has an empty name', 'Give each source, stateful operator and sink a name.');
    if (names.has(name)) refuse(`two operators are named "${name}"`, 'Give each source, stateful operator and sink a name of its own.');
    names.add(name);
  }
}

/** Kinds of nodes that may stand at the end of a stream: they write, or keep state. */
const HAVE_EFFECT: readonly Node['kind'][] = ['sink', 'keyed', 'keyedConnect', 'process', 'connect', 'broadcastConnect'];

/** A chain whose end is no sink and keeps no state can have no effect: a forgotten `.sink(...)`. */
function refuseEndsWithoutEffect(nodes: readonly Node[], refuse: Refuse): void {
  const read = new Set(nodes.flatMap(inputsOf));
  const end = nodes.find((node) => !read.has(node) && !HAVE_EFFECT.includes(node.kind));
  if (end !== undefined) refuse(`nothing reads the result of "${end.name}"`, 'End the stream with .sink(...), or remove it.');
}

function refuseTopicReadTwice(nodes: readonly Node[], refuse: Refuse): void {
  const topics = new Set<string>();
  for (const node of nodes) {
    if (node.kind !== 'source') continue;
    const { topic } = node.topic;
    if (topics.has(topic)) refuse(`two sources read topic "${topic}"`, 'Read it once, and build both streams on that source.');
    topics.add(topic);
  }
}

/** What tasks skip of a broadcast depends on how far each has read: their states would no longer be the same. */
function refuseOutOfRangePolicies(nodes: readonly Node[], refuse: Refuse): void {
  const broadcast = nodes.flatMap((node) => (node.kind === 'broadcast' ? chainOf(node) : []));
  for (const node of nodes) {
    if (node.kind !== 'source') continue;
    const { name, onOffsetOutOfRange } = node;
    if (!OUT_OF_RANGE_POLICIES.includes(onOffsetOutOfRange)) {
      refuse(`onOffsetOutOfRange of "${name}" is ${show(onOffsetOutOfRange)}`, `Use one of ${OUT_OF_RANGE_POLICIES.join(', ')}.`);
    }
    if (onOffsetOutOfRange !== 'fail' && broadcast.includes(node)) {
      refuse(`onOffsetOutOfRange of "${name}" is ${onOffsetOutOfRange}, and it is broadcast: tasks would skip different parts of it`, 'Leave the option out.');
    }
  }
}

/** A broadcast's chain runs in every task; what else would read it, would read every record once per task. */
function refuseBroadcastsReadOtherwise(nodes: readonly Node[], refuse: Refuse): void {
  for (const broadcast of nodes) {
    if (broadcast.kind !== 'broadcast') continue;
    const chain = chainOf(broadcast);
    const strange = chain.find(({ kind }) => kind !== 'source' && kind !== 'stateless' && kind !== 'broadcast');
    if (strange !== undefined) {
      refuse(`"${strange.name}" stands before a broadcast`, 'Broadcast a topic directly, or behind map, filter and flatMap; write anything else to a topic first.');
    }
    const other = nodes.find((node) => !chain.includes(node) && node.kind !== 'broadcastConnect' && inputsOf(node).some((input) => chain.includes(input)));
    if (other !== undefined) refuse(`"${other.name}" reads a stream that is broadcast`, 'Read the topic in a job of its own, or connect to the broadcast.');
  }
}

/** Keys of connected streams must have the same bytes and be placed by the same partitioner, for a function has state for all of them. */
function refuseKeysThatLieOtherwise([first, ...others]: readonly [KeyByNode, ...KeyByNode[]], refuse: Refuse): void {
  const known = [first, ...others].find((keyBy) => partitionerOf(keyBy) !== 'auto');
  for (const keyBy of others) {
    const [its, own] = [codecOf(first), codecOf(keyBy)];
    if (its !== own) {
      refuse(`streams are connected by "${first.name}", whose keys are ${its}, and "${keyBy.name}", whose keys are ${own}`, 'Key both with the same codec.');
    }
    if (known === undefined || partitionerOf(keyBy) === 'auto' || partitionerOf(keyBy) === partitionerOf(known)) continue;
    refuse(
      `streams are connected whose keys lie otherwise: "${known.name}" ${placing(known)}, and "${keyBy.name}" ${placing(keyBy)}`,
      'Drop alreadyPartitioned where it is another than murmur2, so that Weir shuffles that stream, too.',
    );
  }
}

const codecOf = ({ keyCodec: { id, version } }: KeyByNode): string => (version === 1 ? id : `${id} version ${version}`);

/** Shuffles place keys as the Java client does. */
const partitionerOf = ({ distribution }: KeyByNode): unknown => (distribution.type === 'shuffle' ? 'murmur2' : distribution.by.partitioner);

const placing = (keyBy: KeyByNode): string => {
  if (isShuffle(keyBy)) return 'is shuffled by murmur2';
  const by = partitionerOf(keyBy);
  return `is declared alreadyPartitioned by ${typeof by === 'function' ? 'a function' : String(by)}`;
};

/**
 * Names of shuffles, of which job/internal-topics.ts makes `<application id>-<number>-<name>-repartition`. A number followed by "-" within
 * the name could be taken for that number, and the topic for that of another application whose id begins with this one's.
 */
const SHUFFLE_NAME = /^(?!(.*-)?[0-9]+-)[A-Za-z0-9._-]{1,100}$/;

/** Names that types allow and the log does not, or that come from JavaScript or a file. */
function checkNames(node: Node, refuse: Refuse): void {
  if (isShuffle(node) && !SHUFFLE_NAME.test(node.name)) {
    refuse(
      `shuffle "${node.name}" has a name that no topic can have, or that may end up in another application's topic`,
      'Use 1 to 100 letters, digits, ".", "_" and "-", with no number followed by "-".',
    );
  }
  if (node.kind === 'sink') checkPartitioner(`topic "${node.topic.topic}"`, node.topic.partitioner, PARTITIONER_NAMES, refuse);
  if (node.kind === 'keyBy' && node.distribution.type === 'already-partitioned') {
    checkPartitioner(node.name, node.distribution.by.partitioner, ['auto', ...PARTITIONER_NAMES], refuse);
  }
}

function checkPartitioner(of: string, partitioner: unknown, allowed: readonly string[], refuse: Refuse): void {
  if (typeof partitioner === 'function' || allowed.includes(partitioner as string)) return;
  refuse(`${of} names partitioner ${show(partitioner)}`, `Use one of ${allowed.join(', ')} or a function.`);
}
