import type { Codec } from '../codec/codec.js';
import { errors, show } from '../errors/errors.js';
import { PARTITIONER_NAMES } from '../model/partitioner.js';
import { flatMapWithState, filterWithState, mapWithState, type StateFunction } from './functions-with-state.js';
import type {
  Collector,
  KeyedBroadcastProcess,
  KeyedFilter,
  KeyedFlatMap,
  KeyedFunction,
  KeyedMap,
  KeyedProcess,
  OutputTag,
  ProcessFunction,
  WithState,
} from './functions.js';
import {
  type BroadcastNode,
  chainOf,
  type Distribution,
  inputsOf,
  isShuffle,
  type JobGraph,
  type KeyByNode,
  type KeyedNode,
  type Node,
  type SideOutputNode,
  sourcesOf,
  type StatelessFunction,
} from './graph.js';
import type { KeyByOptions, SourceOptions, Topic, TopicTaking } from './topic.js';

/** What a job definition builds its streams with. */
export interface StreamBuilder {
  /**
   * Records of a topic.
   * @param name names the source in messages and metrics; unique in the job
   */
  source<K, V>(name: string, from: Topic<K, V>, options?: SourceOptions): Stream<K | null, V>;
}

/**
 * A stream of values, each with the key, the timestamp and the headers of the record that it came from.
 * Functions given to it run synchronously, once per record, in the order of the records of a partition.
 */
export class Stream<K, V> {
  constructor(
    protected readonly builder: GraphBuilder,
    protected readonly node: Node,
  ) {}

  map<R>(map: (value: V) => R): Stream<K, R> {
    return this.#stateless({ type: 'map', map: map as (value: unknown) => unknown });
  }

  filter<S extends V>(filter: (value: V) => value is S): Stream<K, S>;
  filter(filter: (value: V) => boolean): Stream<K, V>;
  filter(filter: (value: V) => boolean): Stream<K, V> {
    return this.#stateless({ type: 'filter', filter: filter as (value: unknown) => boolean });
  }

  /** Any number of values for each one. */
  flatMap<R>(flatMap: (value: V, out: Collector<R>) => void): Stream<K, R> {
    return this.#stateless({ type: 'flatMap', flatMap: flatMap as (value: unknown, out: Collector<unknown>) => void });
  }

  /**
   * Each record as its key and its value, which is null for a tombstone: for compacted topics, which say of a key what holds for it now.
   * A record without a key stops the job with KEY_NULL.
   */
  entries(): Stream<K, TopicEntry<NonNullable<K>, V>> {
    return this.#stateless({ type: 'entries' });
  }

  #stateless<R>(fn: StatelessFunction): Stream<K, R> {
    return new Stream(this.builder, this.builder.add((id) => ({ kind: 'stateless', id, name: `${fn.type}-${id}`, input: this.node, function: fn })));
  }

  /**
   * Keys the stream: each key's records go to one task, which keeps state for it. They travel through an internal topic, unless the
   * topic that they come from is declared `alreadyPartitioned` by this key.
   * @param selector the key of a value; null and undefined are errors
   * @throws WeirError `invalid` if a shuffle has no codec for the stream's values
   */
  keyBy<K2>(codec: Codec<K2>, selector: (value: V) => K2, options: KeyByOptions<V> = {}): KeyedStream<K2, V> {
    return this.builder.keyBy(this.node, codec, selector as (value: unknown) => unknown, options as KeyByOptions);
  }

  /** This stream and others as one; each keeps its order, and nothing is said of the order between them. */
  union(...others: readonly Stream<K, V>[]): Stream<K, V> {
    const inputs = [this.node, ...others.map((other) => other.node)];
    return new Stream(this.builder, this.builder.add((id) => ({ kind: 'union', id, name: `union-${id}`, inputs })));
  }

  /** A rich function without keys: operator state, side outputs. */
  process<R>(name: string, factory: () => ProcessFunction<V, R>): ProcessedStream<K, R> {
    const node = this.builder.add((id) => ({ kind: 'process', id, name, input: this.node, factory: factory }));
    return new ProcessedStream(this.builder, node);
  }

  /** Makes every task of what it is connected to read all of this stream, which comes straight from a topic (also with map, filter, flatMap). */
  broadcast(): BroadcastStream<V> {
    return new BroadcastStream(this.builder.add((id) => ({ kind: 'broadcast', id, name: `broadcast-${id}`, input: this.node })));
  }

  /**
   * Writes the values to a topic, each with its key, timestamp and headers.
   * @param name names the sink in messages and metrics; unique in the job
   */
  sink(name: string, to: TopicTaking<NonNullable<K>, V>): void {
    this.builder.add((id) => ({ kind: 'sink', id, name, input: this.node, topic: to }));
  }
}

/** What a compacted topic says of a key: the newest value, or null, which removes the key. */
export interface TopicEntry<K, V> {
  readonly key: K;
  readonly value: V | null;
}

/** A stream whose operators have state per key. Names of operators are chosen by the user: they find the state again. */
export class KeyedStream<K, V> {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly node: KeyByNode,
  ) {}

  /** @param factory makes the function of one task */
  flatMap<R>(name: string, factory: () => KeyedFlatMap<K, V, R>): Stream<K, R> {
    return this.#keyed(name, 'flatMap', factory);
  }

  map<R>(name: string, factory: () => KeyedMap<K, V, R>): Stream<K, R> {
    return this.#keyed(name, 'map', factory);
  }

  filter(name: string, factory: () => KeyedFilter<K, V>): Stream<K, V> {
    return this.#keyed(name, 'filter', factory);
  }

  /** Any number of values for each, to the main output and to side outputs. */
  process<R>(name: string, factory: () => KeyedProcess<K, V, R>): ProcessedStream<K, R> {
    return new ProcessedStream(this.builder, this.#node(name, 'process', factory));
  }

  /** This keyed stream beside a broadcast. */
  connect<B>(broadcast: BroadcastStream<B>): ConnectedStream<K, V, B> {
    return new ConnectedStream(this.builder, this.node, broadcast.node);
  }

  /** The values of a key reduced to one, which is put out with each record, as Flink's running reduce. */
  reduce(name: string, codec: Codec<V>, reduce: (reduced: V, value: V) => V): Stream<K, V> {
    return this.mapWithState<V, V>(name, codec, (value, reduced) => {
      const next = reduced === undefined ? value : reduce(reduced, value);
      return { state: next, value: next };
    });
  }

  /** The values of a key aggregated; the result is put out with each record. */
  aggregate<A, R>(name: string, codec: Codec<A>, aggregate: Aggregate<V, A, R>): Stream<K, R> {
    return this.mapWithState<A, R>(name, codec, (value, accumulator) => {
      const next = aggregate.add(accumulator ?? aggregate.createAccumulator(), value);
      return { state: next, value: aggregate.getResult(next) };
    });
  }

  /** One value for each, with one value state per key: `undefined` before the key's first record. */
  mapWithState<S, R>(name: string, state: Codec<S>, map: StateFunction<K, V, S, WithState<S> & { readonly value: R }>): Stream<K, R> {
    return this.#keyed(name, 'map', () => mapWithState(state, map));
  }

  /** Any number of values for each, with one value state per key: `undefined` before the key's first record. */
  flatMapWithState<S, R>(
    name: string,
    state: Codec<S>,
    flatMap: StateFunction<K, V, S, WithState<S> & { readonly values: readonly R[] }>,
  ): Stream<K, R> {
    return this.#keyed(name, 'flatMap', () => flatMapWithState(state, flatMap));
  }

  /** Keeps values, with one value state per key: `undefined` before the key's first record. */
  filterWithState<S>(name: string, state: Codec<S>, filter: StateFunction<K, V, S, WithState<S> & { readonly keep: boolean }>): Stream<K, V> {
    return this.#keyed(name, 'filter', () => filterWithState(state, filter));
  }

  #keyed<R>(name: string, type: KeyedNode['type'], factory: () => KeyedFunction<K>): Stream<K, R> {
    return new Stream(this.builder, this.#node(name, type, factory));
  }

  #node(name: string, type: KeyedNode['type'], factory: () => KeyedFunction<K>): KeyedNode {
    return this.builder.add((id) => ({
      kind: 'keyed',
      id,
      name,
      type,
      input: this.node,
      factory,
    }));
  }
}

/** What a process function puts out: its main output, and a stream for each tag. */
export class ProcessedStream<K, V> extends Stream<K, V> {
  constructor(
    builder: GraphBuilder,
    private readonly operator: SideOutputNode['input'],
  ) {
    super(builder, operator);
  }

  /** What the function sent to `tag`. */
  sideOutput<T>(tag: OutputTag<T>): Stream<K, T> {
    const { operator } = this;
    return new Stream(this.builder, this.builder.add((id) => ({ kind: 'sideOutput', id, name: `${operator.name}/${tag.id}`, input: operator, tag: tag.id })));
  }
}

/** A stream that every task reads whole: to be connected to keyed streams. */
export class BroadcastStream<V> {
  /** Keeps the type of the values. */
  declare readonly valueType: V;

  constructor(readonly node: BroadcastNode) {}
}

/** A keyed stream and a broadcast, to be processed together. */
export class ConnectedStream<K, V, B> {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly keyed: KeyByNode,
    private readonly broadcast: BroadcastNode,
  ) {}

  process<R>(name: string, factory: () => KeyedBroadcastProcess<K, V, B, R>): ProcessedStream<K, R> {
    const { keyed, broadcast } = this;
    const made = factory;
    return new ProcessedStream(this.builder, this.builder.add((id) => ({ kind: 'broadcastConnect', id, name, input: keyed, broadcast, factory: made })));
  }
}

/** How values are aggregated, Flink's AggregateFunction. `add` returns the accumulator to keep, and may change the given one. */
export interface Aggregate<In, Accumulator, Result> {
  createAccumulator(): Accumulator;
  add(accumulator: Accumulator, value: In): Accumulator;
  getResult(accumulator: Accumulator): Result;
}

/**
 * Names of shuffles, of which job/internal-topics.ts makes `<application id>-<number>-<name>-repartition`. A number followed by "-" within
 * the name could be taken for that number, and the topic for that of another application whose id begins with this one's.
 */
const SHUFFLE_NAME = /^(?!(.*-)?[0-9]+-)[A-Za-z0-9._-]{1,100}$/;

/** Records the nodes that streams add; `build` checks the whole. */
export class GraphBuilder implements StreamBuilder {
  readonly #nodes: Node[] = [];
  #shuffles = 0;

  constructor(private readonly job: string) {}

  source<K, V>(name: string, from: Topic<K, V>, options: SourceOptions = {}): Stream<K | null, V> {
    const node = this.add((id) => ({ kind: 'source', id, name, topic: from, start: options.start ?? 'earliest' }));
    return new Stream(this, node);
  }

  keyBy<K, V>(input: Node, codec: Codec<K>, selector: (value: unknown) => unknown, options: KeyByOptions): KeyedStream<K, V> {
    const name = options.name ?? (options.alreadyPartitioned === undefined ? `shuffle-${this.#shuffles++}` : undefined);
    const distribution = this.#distributionOf(input, options);
    const node = this.add((id) => ({ kind: 'keyBy', id, name: name ?? `keyBy-${id}`, input, keyCodec: codec, selector, distribution }));
    return new KeyedStream(this, node);
  }

  #distributionOf(input: Node, { alreadyPartitioned, value }: KeyByOptions): Distribution {
    if (alreadyPartitioned !== undefined) {
      if (sourcesOf(input).length === 1 && !passesShuffle(input)) return { type: 'already-partitioned', by: alreadyPartitioned };
      throw this.#invalid('keyBy is declared alreadyPartitioned on a stream that does not come from one topic alone', 'Drop alreadyPartitioned, so that Weir shuffles.');
    }
    const valueCodec = value ?? codecOf(input);
    if (valueCodec !== undefined) return { type: 'shuffle', valueCodec };
    throw this.#invalid(
      `keyBy behind "${input.name}" shuffles, and has no codec for the stream's values`,
      'Give it one: keyBy(keyCodec, selector, { value: json<T>() }); or, if the topic is partitioned by this key, declare it alreadyPartitioned.',
    );
  }

  add<N extends Node>(make: (id: number) => N): N {
    const node = make(this.#nodes.length);
    this.#nodes.push(node);
    return node;
  }

  /** @throws WeirError `invalid` TOPOLOGY_INVALID */
  build(): JobGraph {
    const names = new Set<string>();
    for (const { name } of this.#nodes) {
      if (name === '') throw this.#invalid('an operator has an empty name', 'Give each source, stateful operator and sink a name.');
      if (names.has(name)) throw this.#invalid(`two operators are named "${name}"`, 'Give each source, stateful operator and sink a name of its own.');
      names.add(name);
    }
    if (!this.#nodes.some((node) => node.kind === 'source')) throw this.#invalid('it has no source', 'Call streams.source(...) in define.');
    this.#refuseEndsWithoutEffect();
    this.#refuseTopicReadTwice();
    this.#refuseBroadcastsReadOtherwise();
    for (const node of this.#nodes) this.#checkNames(node);
    return { job: this.job, nodes: [...this.#nodes] };
  }

  /** A chain whose end is no sink and keeps no state can have no effect: a forgotten `.sink(...)`. */
  #refuseEndsWithoutEffect(): void {
    const read = new Set(this.#nodes.flatMap(inputsOf));
    const end = this.#nodes.find((node) => !read.has(node) && !HAVE_EFFECT.includes(node.kind));
    if (end !== undefined) throw this.#invalid(`nothing reads the result of "${end.name}"`, 'End the stream with .sink(...), or remove it.');
  }

  #refuseTopicReadTwice(): void {
    const topics = new Set<string>();
    for (const node of this.#nodes) {
      if (node.kind !== 'source') continue;
      const { topic } = node.topic;
      if (topics.has(topic)) throw this.#invalid(`two sources read topic "${topic}"`, 'Read it once, and build both streams on that source.');
      topics.add(topic);
    }
  }

  /** A broadcast's chain runs in every task; what else would read it, would read every record once per task. */
  #refuseBroadcastsReadOtherwise(): void {
    for (const broadcast of this.#nodes) {
      if (broadcast.kind !== 'broadcast') continue;
      const chain = chainOf(broadcast);
      const strange = chain.find(({ kind }) => kind !== 'source' && kind !== 'stateless' && kind !== 'broadcast');
      if (strange !== undefined) {
        throw this.#invalid(`"${strange.name}" stands before a broadcast`, 'Broadcast a topic directly, or behind map, filter and flatMap; write anything else to a topic first.');
      }
      const other = this.#nodes.find((node) => !chain.includes(node) && node.kind !== 'broadcastConnect' && inputsOf(node).some((input) => chain.includes(input)));
      if (other !== undefined) throw this.#invalid(`"${other.name}" reads a stream that is broadcast`, 'Read the topic in a job of its own, or connect to the broadcast.');
    }
  }

  /** Names that types allow and the log does not, or that come from JavaScript or a file. */
  #checkNames(node: Node): void {
    if (isShuffle(node) && !SHUFFLE_NAME.test(node.name)) {
      throw this.#invalid(
        `shuffle "${node.name}" has a name that no topic can have, or that may end up in another application's topic`,
        'Use 1 to 100 letters, digits, ".", "_" and "-", with no number followed by "-".',
      );
    }
    if (node.kind === 'sink') this.#checkPartitioner(`topic "${node.topic.topic}"`, node.topic.partitioner, PARTITIONER_NAMES);
    if (node.kind === 'keyBy' && node.distribution.type === 'already-partitioned') {
      this.#checkPartitioner(node.name, node.distribution.by.partitioner, ['auto', ...PARTITIONER_NAMES]);
    }
  }

  #checkPartitioner(of: string, partitioner: unknown, allowed: readonly string[]): void {
    if (typeof partitioner === 'function' || allowed.includes(partitioner as string)) return;
    throw this.#invalid(`${of} names partitioner ${show(partitioner)}`, `Use one of ${allowed.join(', ')} or a function.`);
  }

  #invalid(problem: string, advice: string): Error {
    return errors.topologyInvalid({ job: this.job, problem, advice });
  }
}

/** The codec of a stream's values where a topic gives it: right behind a source or a shuffle, with nothing but filters between. */
function codecOf(node: Node): Codec<unknown> | undefined {
  switch (node.kind) {
    case 'source':
      return node.topic.value;
    case 'stateless':
      return node.function.type === 'filter' ? codecOf(node.input) : undefined;
    case 'keyed':
      return node.type === 'filter' ? codecOf(node.input) : undefined;
    case 'keyBy':
      return node.distribution.type === 'shuffle' ? node.distribution.valueCodec : codecOf(node.input);
    case 'union':
      return node.inputs.map(codecOf).reduce((a, b) => (a === b ? a : undefined));
    case 'process':
    case 'broadcast':
    case 'broadcastConnect':
    case 'sideOutput':
    case 'sink':
      return undefined;
  }
}

/** Kinds of nodes that may stand at the end of a stream: they write, or keep state. */
const HAVE_EFFECT: readonly Node['kind'][] = ['sink', 'keyed', 'process', 'broadcastConnect'];

const passesShuffle = (node: Node): boolean => isShuffle(node) || inputsOf(node).some(passesShuffle);
