import type { Codec } from '../codec/codec.js';
import type { CoFunction, KeyedCoFunction } from './co-functions.js';
import type { Collector, KeyedBroadcastProcess, KeyedFunction, ProcessFunction } from './functions.js';
import type { BadRecordPolicy } from './bad-records.js';
import type { RecordView } from './record-view.js';
import type { AlreadyPartitioned, OutOfRangePolicy, StartPosition, Topic } from './topic.js';

/**
 * The job graph: what StreamBuilder records, and what everything else reads. Nodes point to their inputs; value types are checked
 * where streams are built (stream-builder.ts) and are `unknown` from here on; what functions take is `never`.
 */
export type Node =
  | SourceNode
  | StatelessNode
  | ProcessNode
  | UnionNode
  | ConnectNode
  | KeyByNode
  | KeyedNode
  | KeyedConnectNode
  | BroadcastNode
  | BroadcastConnectNode
  | SideOutputNode
  | SinkNode;

interface NodeBase {
  /** Position in the order of definition. */
  readonly id: number;
  /** Unique in the job; of stateful operators chosen by the user, for it finds their state again. */
  readonly name: string;
  /** Undefined: what holds for the job. */
  readonly onBadRecord?: BadRecordPolicy | undefined;
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  readonly topic: Topic<unknown, unknown>;
  readonly start: StartPosition;
  readonly onOffsetOutOfRange: OutOfRangePolicy;
}

export interface StatelessNode extends NodeBase {
  readonly kind: 'stateless';
  readonly input: Node;
  readonly function: StatelessFunction;
}

export type StatelessFunction =
  | { readonly type: 'map'; readonly map: (value: unknown, record: RecordView) => unknown }
  | { readonly type: 'filter'; readonly filter: (value: unknown, record: RecordView) => boolean }
  | { readonly type: 'flatMap'; readonly flatMap: (value: unknown, out: Collector<unknown>, record: RecordView) => void }
  | { readonly type: 'entries' };

/** A rich function on a stream without keys. */
export interface ProcessNode extends NodeBase {
  readonly kind: 'process';
  readonly input: Node;
  readonly factory: () => ProcessFunction<never, unknown>;
}

/** The end of a chain that every task reads whole. */
export interface BroadcastNode extends NodeBase {
  readonly kind: 'broadcast';
  readonly input: Node;
}

/** A keyed stream and a broadcast in one function. */
export interface BroadcastConnectNode extends NodeBase {
  readonly kind: 'broadcastConnect';
  readonly input: KeyByNode;
  readonly broadcast: BroadcastNode;
  readonly factory: () => KeyedBroadcastProcess<never, never, never, unknown>;
}

/** Two streams without keys in one function. */
export interface ConnectNode extends NodeBase {
  readonly kind: 'connect';
  readonly inputs: readonly [Node, Node];
  readonly factory: () => CoFunction;
  readonly type: CoType;
}

/** Two streams with the same keys in one function, which has keyed state for both. */
export interface KeyedConnectNode extends NodeBase {
  readonly kind: 'keyedConnect';
  readonly inputs: readonly [KeyByNode, KeyByNode];
  readonly factory: () => KeyedCoFunction<never>;
  readonly type: CoType;
}

export type CoType = 'map' | 'flatMap' | 'process';

/** A node with a user's function made per task: state is found again by its name. */
export type FunctionNode = KeyedNode | KeyedConnectNode | ProcessNode | ConnectNode | BroadcastConnectNode;

/** What an operator sends to a tag. */
export interface SideOutputNode extends NodeBase {
  readonly kind: 'sideOutput';
  readonly input: FunctionNode;
  readonly tag: string;
}

/** Several streams as one. */
export interface UnionNode extends NodeBase {
  readonly kind: 'union';
  readonly inputs: readonly Node[];
}

export interface KeyByNode extends NodeBase {
  readonly kind: 'keyBy';
  readonly input: Node;
  readonly keyCodec: Codec<unknown>;
  readonly selector: (value: unknown, record: RecordView) => unknown;
  readonly distribution: Distribution;
}

/**
 * How records get to the task of their key: they lie there already, or they travel through a repartition topic, which cuts the graph.
 */
export type Distribution =
  | { readonly type: 'already-partitioned'; readonly by: AlreadyPartitioned }
  | { readonly type: 'shuffle'; readonly valueCodec: Codec<unknown> };

/** A keyBy that cuts the graph: the end of one sub-topology, and a beginning of another. */
export type ShuffleNode = KeyByNode & { readonly distribution: Extract<Distribution, { type: 'shuffle' }> };

export const isShuffle = (node: Node): node is ShuffleNode => node.kind === 'keyBy' && node.distribution.type === 'shuffle';

export interface KeyedNode extends NodeBase {
  readonly kind: 'keyed';
  readonly input: KeyByNode;
  /** Makes the function of one task; called once per task and attempt. */
  readonly factory: () => KeyedFunction<never>;
  readonly type: 'map' | 'filter' | 'flatMap' | 'process';
}

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly input: Node;
  readonly topic: Topic<unknown, unknown>;
}

export interface JobGraph {
  readonly job: string;
  /** In the order of definition, so that an input stands before its readers. */
  readonly nodes: readonly Node[];
}

/** Inputs of a node; sources have none. */
export function inputsOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'source':
      return [];
    case 'union':
    case 'connect':
    case 'keyedConnect':
      return node.inputs;
    case 'broadcastConnect':
      return [node.input, node.broadcast];
    case 'stateless':
    case 'process':
    case 'keyBy':
    case 'keyed':
    case 'broadcast':
    case 'sideOutput':
    case 'sink':
      return [node.input];
  }
}

/** Sources from which keyed or plain records reach a node without a shuffle between. */
export function sourcesOf(node: Node): SourceNode[] {
  if (node.kind === 'source') return [node];
  return isShuffle(node) ? [] : inputsOf(node).flatMap((input) => (isShuffle(input) || input.kind === 'broadcast' ? [] : sourcesOf(input)));
}

/** A broadcast's own chain, from its source to itself. */
export function chainOf(node: BroadcastNode): Node[] {
  const chain: Node[] = [node];
  for (let at: Node = node.input; ; ) {
    chain.unshift(at);
    const [input] = inputsOf(at);
    if (input === undefined) return chain;
    at = input;
  }
}

/**
 * keyBys by what shares their keys: those that are connected, directly or by way of others, must have their keys lie alike, for a function
 * has state for all of them. Each group in the order of definition; a keyBy that is connected with none is a group of its own.
 */
export function keyGroups(nodes: readonly Node[]): (readonly [KeyByNode, ...KeyByNode[]])[] {
  const groups = new Map<KeyByNode, Set<KeyByNode>>();
  for (const node of nodes) if (node.kind === 'keyBy') groups.set(node, new Set([node]));
  for (const node of nodes) {
    if (node.kind !== 'keyedConnect') continue;
    const joined = new Set(node.inputs.flatMap((input) => [...groups.get(input)!]));
    for (const keyBy of joined) groups.set(keyBy, joined);
  }
  return [...new Set(groups.values())].map((group) => [...group].sort((a, b) => a.id - b.id) as [KeyByNode, ...KeyByNode[]]);
}
