import type { Codec } from '../codec/codec.js';
import { errors } from '../errors/errors.js';
import type { CoFlatMap, CoFunction, CoMap, CoProcess, KeyedCoFlatMap, KeyedCoFunction, KeyedCoMap, KeyedCoProcess } from './co-functions.js';
import type { OperatorOptions } from './bad-records.js';
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
  type CoType,
  type Distribution,
  type FunctionNode,
  inputsOf,
  isShuffle,
  type JobGraph,
  type KeyByNode,
  type KeyedNode,
  type Node,
  sourcesOf,
  type StatelessFunction,
} from './graph.js';
import { checkGraph } from './graph-checks.js';
import type { RecordView } from './record-view.js';
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

  /** One value for each; the record that it came from may be looked at, likewise below. */
  map<R>(map: (value: V, record: RecordView) => R, options?: OperatorOptions): Stream<K, R> {
    return this.#stateless({ type: 'map', map: map as (value: unknown, record: RecordView) => unknown }, options);
  }

  filter<S extends V>(filter: (value: V, record: RecordView) => value is S, options?: OperatorOptions): Stream<K, S>;
  filter(filter: (value: V, record: RecordView) => boolean, options?: OperatorOptions): Stream<K, V>;
  filter(filter: (value: V, record: RecordView) => boolean, options?: OperatorOptions): Stream<K, V> {
    return this.#stateless({ type: 'filter', filter: filter as (value: unknown, record: RecordView) => boolean }, options);
  }

  /** Any number of values for each one. */
  flatMap<R>(flatMap: (value: V, out: Collector<R>, record: RecordView) => void, options?: OperatorOptions): Stream<K, R> {
    return this.#stateless({ type: 'flatMap', flatMap: flatMap as (value: unknown, out: Collector<unknown>, record: RecordView) => void }, options);
  }

  /**
   * Each record as its key and its value, which is null for a tombstone: for compacted topics, which say of a key what holds for it now.
   * A record without a key is a bad one: KEY_NULL.
   */
  entries(options?: OperatorOptions): Stream<K, TopicEntry<NonNullable<K>, V>> {
    return this.#stateless({ type: 'entries' }, options);
  }

  #stateless<R>(fn: StatelessFunction, { onBadRecord }: OperatorOptions = {}): Stream<K, R> {
    return new Stream(this.builder, this.builder.add((id) => ({ kind: 'stateless', id, name: `${fn.type}-${id}`, input: this.node, function: fn, onBadRecord })));
  }

  /**
   * Keys the stream: each key's records go to one task, which keeps state for it. They travel through an internal topic, unless the
   * topic that they come from is declared `alreadyPartitioned` by this key.
   * @param selector the key of a value, and of its record if need be; null and undefined are errors
   * @throws WeirError `invalid` if a shuffle has no codec for the stream's values
   */
  keyBy<K2>(codec: Codec<K2>, selector: (value: V, record: RecordView) => K2, options: KeyByOptions<V> = {}): KeyedStream<K2, V> {
    return this.builder.keyBy(this.node, codec, selector as (value: unknown, record: RecordView) => unknown, options as KeyByOptions);
  }

  /** This stream and others as one; each keeps its order, and nothing is said of the order between them. */
  union(...others: readonly Stream<K, V>[]): Stream<K, V> {
    const inputs = [this.node, ...others.map((other) => other.node)];
    return new Stream(this.builder, this.builder.add((id) => ({ kind: 'union', id, name: `union-${id}`, inputs })));
  }

  /** This stream beside another one, in one function without keys. Topics that they come from without a shuffle have equal partition counts. */
  connect<K2, V2>(other: Stream<K2, V2>): ConnectedStreams<K | K2, V, V2> {
    return new ConnectedStreams(this.builder, [this.node, other.node]);
  }

  /** A rich function without keys: operator state, side outputs. */
  process<R>(name: string, factory: () => ProcessFunction<V, R>, { onBadRecord }: OperatorOptions = {}): ProcessedStream<K, R> {
    const node = this.builder.add((id) => ({ kind: 'process', id, name, input: this.node, factory: factory, onBadRecord }));
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
  sink(name: string, to: TopicTaking<NonNullable<K>, V>, { onBadRecord }: OperatorOptions = {}): void {
    this.builder.add((id) => ({ kind: 'sink', id, name, input: this.node, topic: to, onBadRecord }));
  }
}

/** What a compacted topic says of a key: the newest value, or null, which removes the key. */
export interface TopicEntry<K, V> {
  readonly key: K;
  readonly value: V | null;
}

/** A stream whose operators have state per key. Names of operators are chosen by the user: they find the state again. */
export class KeyedStream<K, V> {
  /** Keeps the types of keys and values. */
  declare readonly keyType: K;
  declare readonly valueType: V;

  constructor(
    private readonly builder: GraphBuilder,
    readonly node: KeyByNode,
  ) {}

  /** @param factory makes the function of one task */
  flatMap<R>(name: string, factory: () => KeyedFlatMap<K, V, R>, options?: OperatorOptions): Stream<K, R> {
    return this.#keyed(name, 'flatMap', factory, options);
  }

  map<R>(name: string, factory: () => KeyedMap<K, V, R>, options?: OperatorOptions): Stream<K, R> {
    return this.#keyed(name, 'map', factory, options);
  }

  filter(name: string, factory: () => KeyedFilter<K, V>, options?: OperatorOptions): Stream<K, V> {
    return this.#keyed(name, 'filter', factory, options);
  }

  /** Any number of values for each, to the main output and to side outputs. */
  process<R>(name: string, factory: () => KeyedProcess<K, V, R>, options?: OperatorOptions): ProcessedStream<K, R> {
    return new ProcessedStream(this.builder, this.#node(name, 'process', factory, options));
  }

  /** This keyed stream beside a broadcast. */
  connect<B>(broadcast: BroadcastStream<B>): ConnectedStream<K, V, B>;
  /**
   * This keyed stream beside another one with the same keys, in one function with keyed state for both. Keys must lie alike: a side that is
   * declared alreadyPartitioned is partitioned as the other is, a shuffle by murmur2.
   */
  connect<V2>(other: KeyedStream<K, V2>): ConnectedKeyedStreams<K, V, V2>;
  connect<B>(other: BroadcastStream<B> | KeyedStream<K, B>): ConnectedStream<K, V, B> | ConnectedKeyedStreams<K, V, B> {
    if (other instanceof BroadcastStream) return new ConnectedStream(this.builder, this.node, other.node);
    return new ConnectedKeyedStreams(this.builder, [this.node, other.node]);
  }

  /** The values of a key reduced to one, which is put out with each record, as Flink's running reduce. */
  reduce(name: string, codec: Codec<V>, reduce: (reduced: V, value: V) => V, options?: OperatorOptions): Stream<K, V> {
    return this.mapWithState<V, V>(name, codec, (value, reduced) => {
      const next = reduced === undefined ? value : reduce(reduced, value);
      return { state: next, value: next };
    }, options);
  }

  /** The values of a key aggregated; the result is put out with each record. */
  aggregate<A, R>(name: string, codec: Codec<A>, aggregate: Aggregate<V, A, R>, options?: OperatorOptions): Stream<K, R> {
    return this.mapWithState<A, R>(name, codec, (value, accumulator) => {
      const next = aggregate.add(accumulator ?? aggregate.createAccumulator(), value);
      return { state: next, value: aggregate.getResult(next) };
    }, options);
  }

  /** One value for each, with one value state per key: `undefined` before the key's first record. */
  mapWithState<S, R>(name: string, state: Codec<S>, map: StateFunction<K, V, S, WithState<S> & { readonly value: R }>, options?: OperatorOptions): Stream<K, R> {
    return this.#keyed(name, 'map', () => mapWithState(state, map), options);
  }

  /** Any number of values for each, with one value state per key: `undefined` before the key's first record. */
  flatMapWithState<S, R>(
    name: string,
    state: Codec<S>,
    flatMap: StateFunction<K, V, S, WithState<S> & { readonly values: readonly R[] }>,
    options?: OperatorOptions,
  ): Stream<K, R> {
    return this.#keyed(name, 'flatMap', () => flatMapWithState(state, flatMap), options);
  }

  /** Keeps values, with one value state per key: `undefined` before the key's first record. */
  filterWithState<S>(
    name: string,
    state: Codec<S>,
    filter: StateFunction<K, V, S, WithState<S> & { readonly keep: boolean }>,
    options?: OperatorOptions,
  ): Stream<K, V> {
    return this.#keyed(name, 'filter', () => filterWithState(state, filter), options);
  }

  #keyed<R>(name: string, type: KeyedNode['type'], factory: () => KeyedFunction<K>, options?: OperatorOptions): Stream<K, R> {
    return new Stream(this.builder, this.#node(name, type, factory, options));
  }

  #node(name: string, type: KeyedNode['type'], factory: () => KeyedFunction<K>, { onBadRecord }: OperatorOptions = {}): KeyedNode {
    return this.builder.add((id) => ({ kind: 'keyed', id, name, type, input: this.node, factory, onBadRecord }));
  }
}

/** What a process function puts out: its main output, and a stream for each tag. */
export class ProcessedStream<K, V> extends Stream<K, V> {
  constructor(
    builder: GraphBuilder,
    private readonly operator: FunctionNode,
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

  process<R>(name: string, factory: () => KeyedBroadcastProcess<K, V, B, R>, { onBadRecord }: OperatorOptions = {}): ProcessedStream<K, R> {
    const { keyed, broadcast } = this;
    const made = factory;
    return new ProcessedStream(this.builder, this.builder.add((id) => ({ kind: 'broadcastConnect', id, name, input: keyed, broadcast, factory: made, onBadRecord })));
  }
}

/** Two streams without keys, to be processed together: Flink's ConnectedStreams. */
export class ConnectedStreams<K, V1, V2> {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly inputs: readonly [Node, Node],
  ) {}

  map<R>(name: string, factory: () => CoMap<V1, V2, R>, options?: OperatorOptions): Stream<K, R> {
    return this.#stream(name, 'map', factory, options);
  }

  flatMap<R>(name: string, factory: () => CoFlatMap<V1, V2, R>, options?: OperatorOptions): Stream<K, R> {
    return this.#stream(name, 'flatMap', factory, options);
  }

  process<R>(name: string, factory: () => CoProcess<V1, V2, R>, options?: OperatorOptions): ProcessedStream<K, R> {
    return this.#stream(name, 'process', factory, options);
  }

  #stream<R>(name: string, type: CoType, factory: () => CoFunction, { onBadRecord }: OperatorOptions = {}): ProcessedStream<K, R> {
    const { inputs } = this;
    return new ProcessedStream(this.builder, this.builder.add((id) => ({ kind: 'connect', id, name, inputs, type, factory, onBadRecord })));
  }
}

/** Two streams with the same keys, to be processed together with state for both: Flink's ConnectedStreams of keyed streams. */
export class ConnectedKeyedStreams<K, V1, V2> {
  constructor(
    private readonly builder: GraphBuilder,
    private readonly inputs: readonly [KeyByNode, KeyByNode],
  ) {}

  map<R>(name: string, factory: () => KeyedCoMap<K, V1, V2, R>, options?: OperatorOptions): Stream<K, R> {
    return this.#stream(name, 'map', factory, options);
  }

  flatMap<R>(name: string, factory: () => KeyedCoFlatMap<K, V1, V2, R>, options?: OperatorOptions): Stream<K, R> {
    return this.#stream(name, 'flatMap', factory, options);
  }

  process<R>(name: string, factory: () => KeyedCoProcess<K, V1, V2, R>, options?: OperatorOptions): ProcessedStream<K, R> {
    return this.#stream(name, 'process', factory, options);
  }

  #stream<R>(name: string, type: CoType, factory: () => KeyedCoFunction<K>, { onBadRecord }: OperatorOptions = {}): ProcessedStream<K, R> {
    const { inputs } = this;
    return new ProcessedStream(this.builder, this.builder.add((id) => ({ kind: 'keyedConnect', id, name, inputs, type, factory, onBadRecord })));
  }
}

/** How values are aggregated, Flink's AggregateFunction. `add` returns the accumulator to keep, and may change the given one. */
export interface Aggregate<In, Accumulator, Result> {
  createAccumulator(): Accumulator;
  add(accumulator: Accumulator, value: In): Accumulator;
  getResult(accumulator: Accumulator): Result;
}

/** Records the nodes that streams add; `build` checks the whole (graph-checks.ts). */
export class GraphBuilder implements StreamBuilder {
  readonly #nodes: Node[] = [];
  #shuffles = 0;

  constructor(private readonly job: string) {}

  source<K, V>(name: string, from: Topic<K, V>, options: SourceOptions = {}): Stream<K | null, V> {
    const { start = 'earliest', onOffsetOutOfRange = 'fail', onBadRecord } = options;
    const node = this.add((id) => ({ kind: 'source', id, name, topic: from, start, onOffsetOutOfRange, onBadRecord }));
    return new Stream(this, node);
  }

  keyBy<K, V>(input: Node, codec: Codec<K>, selector: (value: unknown, record: RecordView) => unknown, options: KeyByOptions): KeyedStream<K, V> {
    const name = options.name ?? (options.alreadyPartitioned === undefined ? `shuffle-${this.#shuffles++}` : undefined);
    const distribution = this.#distributionOf(input, options);
    const { onBadRecord } = options;
    const node = this.add((id) => ({ kind: 'keyBy', id, name: name ?? `keyBy-${id}`, input, keyCodec: codec, selector, distribution, onBadRecord }));
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
    const graph: JobGraph = { job: this.job, nodes: [...this.#nodes] };
    checkGraph(graph);
    return graph;
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
    case 'connect':
    case 'keyedConnect':
    case 'broadcast':
    case 'broadcastConnect':
    case 'sideOutput':
    case 'sink':
      return undefined;
  }
}

const passesShuffle = (node: Node): boolean => isShuffle(node) || inputsOf(node).some(passesShuffle);
