import type { Codec } from '../codec/codec.js';
import { errors } from '../errors/errors.js';
import { flatMapWithState, filterWithState, mapWithState, type StateFunction } from './functions-with-state.js';
import type { Collector, KeyedFilter, KeyedFlatMap, KeyedFunction, KeyedMap, WithState } from './functions.js';
import type { JobGraph, KeyByNode, KeyedNode, Node, StatelessFunction } from './graph.js';
import type { KeyByOptions, SourceOptions, Topic } from './topic.js';

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

  #stateless<R>(fn: StatelessFunction): Stream<K, R> {
    return new Stream(this.builder, this.builder.add((id) => ({ kind: 'stateless', id, name: `${fn.type}-${id}`, input: this.node, function: fn })));
  }

  /**
   * Keys the stream: each key's records go to one task, which keeps state for it.
   * @param selector the key of a value; null and undefined are errors
   * @throws WeirError `invalid` without `alreadyPartitioned`: shuffles are not built yet
   */
  keyBy<K2>(codec: Codec<K2>, selector: (value: V) => K2, options: KeyByOptions): KeyedStream<K2, V> {
    return this.builder.keyBy(this.node, codec, selector as (value: unknown) => unknown, options);
  }

  /**
   * Writes the values to a topic, each with its key, timestamp and headers.
   * @param name names the sink in messages and metrics; unique in the job
   */
  sink(name: string, to: Topic<NonNullable<K>, V>): void {
    this.builder.add((id) => ({ kind: 'sink', id, name, input: this.node, topic: to }));
  }
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
    const node = this.builder.add((id) => ({
      kind: 'keyed',
      id,
      name,
      type,
      input: this.node,
      factory: factory,
    }));
    return new Stream(this.builder, node);
  }
}

/** Records the nodes that streams add; `build` checks the whole. */
export class GraphBuilder implements StreamBuilder {
  readonly #nodes: Node[] = [];

  constructor(private readonly job: string) {}

  source<K, V>(name: string, from: Topic<K, V>, options: SourceOptions = {}): Stream<K | null, V> {
    const node = this.add((id) => ({ kind: 'source', id, name, topic: from, start: options.start ?? 'earliest' }));
    return new Stream(this, node);
  }

  keyBy<K, V>(input: Node, codec: Codec<K>, selector: (value: unknown) => unknown, options: KeyByOptions | undefined): KeyedStream<K, V> {
    const alreadyPartitioned = options?.alreadyPartitioned;
    if (alreadyPartitioned === undefined) {
      throw this.#invalid(
        'keyBy has no alreadyPartitioned option, and shuffles through a repartition topic are not built yet',
        'Key a topic by the key that it is partitioned by, and say so: { alreadyPartitioned: { partitioner: "auto" } }.',
      );
    }
    const node = this.add((id) => ({ kind: 'keyBy', id, name: `keyBy-${id}`, input, keyCodec: codec, selector, alreadyPartitioned }));
    return new KeyedStream(this, node);
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
    return { job: this.job, nodes: [...this.#nodes] };
  }

  /** A chain whose end is no sink and keeps no state can have no effect: a forgotten `.sink(...)`. */
  #refuseEndsWithoutEffect(): void {
    const read = new Set(this.#nodes.map((node) => (node.kind === 'source' ? undefined : node.input)));
    const end = this.#nodes.find((node) => !read.has(node) && node.kind !== 'sink' && node.kind !== 'keyed');
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

  #invalid(problem: string, advice: string): Error {
    return errors.topologyInvalid({ job: this.job, problem, advice });
  }
}
