import { errors } from '../errors/errors.js';
import { chainOf, inputsOf, isShuffle, type JobGraph, type Node, type ShuffleNode, type SinkNode, type SourceNode } from '../topology/graph.js';

/**
 * Cuts a job graph at its shuffles into sub-topologies: what is joined without a shuffle runs in one task, and the pieces meet only in
 * repartition topics. A shuffle is the end of the sub-topology that its input is in, and a beginning of the one behind it.
 *
 * A sub-topology that feeds itself through a shuffle cannot be: its tasks would wait for a barrier that they send only once it has come.
 */
export interface SubTopology {
  /** Position in the order of their first nodes. */
  readonly index: number;
  readonly nodes: readonly Node[];
  /** Topics whose partitions are dealt out over its tasks. */
  readonly sources: readonly SourceNode[];
  /** Topics that each of its tasks reads whole; their chains are in every sub-topology that connects to them. */
  readonly broadcasts: readonly SourceNode[];
  readonly sinks: readonly SinkNode[];
  /** Shuffles that it begins with. */
  readonly shufflesIn: readonly ShuffleNode[];
  /** Shuffles that it ends in; nodes of other sub-topologies. */
  readonly shufflesOut: readonly ShuffleNode[];
}

/** @throws WeirError `invalid` TOPOLOGY_INVALID */
export function cutGraph(graph: JobGraph): SubTopology[] {
  const shuffles = graph.nodes.filter(isShuffle);
  const chains = new Set(graph.nodes.flatMap((node) => (node.kind === 'broadcast' ? chainOf(node) : [])));
  const subTopologies = componentsOf(graph.nodes.filter((node) => !chains.has(node))).map((own, index): SubTopology => {
    const joined = new Set(own.flatMap((node) => (node.kind === 'broadcastConnect' ? chainOf(node.broadcast) : [])));
    const nodes = [...own, ...joined].sort((a, b) => a.id - b.id);
    const members = new Set(nodes);
    return {
      index,
      nodes,
      sources: own.filter((node) => node.kind === 'source'),
      broadcasts: [...joined].filter((node) => node.kind === 'source'),
      sinks: nodes.filter((node) => node.kind === 'sink'),
      shufflesIn: nodes.filter(isShuffle),
      shufflesOut: shuffles.filter((shuffle) => members.has(shuffle.input)),
    };
  });
  refuseCycles(graph.job, subTopologies);
  return subTopologies;
}

/** Sub-topologies that write to a shuffle. */
export const upstreamOf = (shuffle: ShuffleNode, subTopologies: readonly SubTopology[]): SubTopology[] =>
  subTopologies.filter(({ shufflesOut }) => shufflesOut.includes(shuffle));

/** Nodes joined by edges other than those into a shuffle, in the order of definition. */
function componentsOf(nodes: readonly Node[]): Node[][] {
  const componentOf = new Map<Node, Node[]>();
  for (const node of nodes) {
    const joined = isShuffle(node) ? [] : inputsOf(node).map((input) => componentOf.get(input)).filter((component) => component !== undefined);
    const [into = [], ...others] = new Set(joined);
    for (const other of others) {
      for (const member of other) componentOf.set(member, into);
      into.push(...other);
    }
    into.push(node);
    componentOf.set(node, into);
  }
  return [...new Set(nodes.map((node) => componentOf.get(node)!))].map((members) => members.sort((a, b) => a.id - b.id));
}

function refuseCycles(job: string, subTopologies: readonly SubTopology[]): void {
  const done = new Set<SubTopology>();
  const visit = (at: SubTopology, path: readonly SubTopology[]): void => {
    if (done.has(at)) return;
    if (path.includes(at)) {
      const shuffle = at.shufflesIn[0]!;
      throw errors.topologyInvalid({
        job,
        problem: `a stream is joined with one that was shuffled from it by "${shuffle.name}"`,
        advice: 'Give each of the two a sink of its own, or key both anew before the union or the connect.',
      });
    }
    for (const shuffle of at.shufflesIn) for (const upstream of upstreamOf(shuffle, subTopologies)) visit(upstream, [...path, at]);
    done.add(at);
  };
  for (const subTopology of subTopologies) visit(subTopology, []);
}
