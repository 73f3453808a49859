import type { Codec } from '../codec/codec.js';
import type { Collector, KeyedFunction } from './functions.js';
import type { AlreadyPartitioned, StartPosition, Topic } from './topic.js';

/**
 * The job graph: what StreamBuilder records, and what everything else reads. Nodes point to their input; value types are checked
 * where streams are built (stream-builder.ts) and are `unknown` from here on.
 */
export type Node = SourceNode | StatelessNode | KeyByNode | KeyedNode | SinkNode;

interface NodeBase {
  /** Position in the order of definition. */
  readonly id: number;
  /** Unique in the job; of stateful operators chosen by the user, for it finds their state again. */
  readonly name: string;
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  readonly topic: Topic<unknown, unknown>;
  readonly start: StartPosition;
}

export interface StatelessNode extends NodeBase {
  readonly kind: 'stateless';
  readonly input: Node;
  readonly function: StatelessFunction;
}

export type StatelessFunction =
  | { readonly type: 'map'; readonly map: (value: unknown) => unknown }
  | { readonly type: 'filter'; readonly filter: (value: unknown) => boolean }
  | { readonly type: 'flatMap'; readonly flatMap: (value: unknown, out: Collector<unknown>) => void };

export interface KeyByNode extends NodeBase {
  readonly kind: 'keyBy';
  readonly input: Node;
  readonly keyCodec: Codec<unknown>;
  readonly selector: (value: unknown) => unknown;
  readonly alreadyPartitioned: AlreadyPartitioned;
}

export interface KeyedNode extends NodeBase {
  readonly kind: 'keyed';
  readonly input: KeyByNode;
  /** Makes the function of one task; called once per task and attempt. */
  readonly factory: () => KeyedFunction<unknown>;
  readonly type: 'map' | 'filter' | 'flatMap';
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
export const inputOf = (node: Node): Node | undefined => (node.kind === 'source' ? undefined : node.input);

/** The source that a node's records come from. */
export function sourceOf(node: Node): SourceNode {
  let at = node;
  while (at.kind !== 'source') at = at.input;
  return at;
}
