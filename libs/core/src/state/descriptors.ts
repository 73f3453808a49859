import type { Codec } from '../codec/codec.js';

/**
 * Descriptors: what a function declares of a state in `open`. A name is unique within the operator; with the operator's name it finds the
 * state again, so neither ever changes. Descriptors are plain data and may be shared.
 */
export interface StateOptions {
  /** Entries are gone this long after their last update. Can be switched on over existing state, and off again. */
  readonly ttl?: Ttl;
}

/**
 * Time to live, in processing time. What has expired is never returned; it is removed when it is read, or by a sweep that looks at a
 * bounded number of entries with each commit. In a list or a map each element has its own time.
 */
export interface Ttl {
  /** Milliseconds, above 0. */
  readonly ms: number;
  /** What counts as an update: writing alone (the default), or reading too. With `onReadAndWrite` each read is a write. */
  readonly update?: 'onCreateAndWrite' | 'onReadAndWrite';
}

export interface ValueStateOptions<T> extends StateOptions {
  /** What `value` returns for a key without a value. One object for all keys: treat it as immutable. */
  readonly default?: T;
}

/** Declares a ValueState: one value per key. `R` is what reading gives. */
export interface ValueStateDescriptor<T, R = T | undefined> extends StateOptions {
  readonly kind: 'value';
  readonly name: string;
  readonly codec: Codec<T>;
  readonly default?: T;
  /** Never there: it carries the type of what reading gives. */
  readonly reads?: R;
}

/** Declares a ListState: any number of elements per key. */
export interface ListStateDescriptor<T> extends StateOptions {
  readonly kind: 'list';
  readonly name: string;
  /** Of one element. */
  readonly codec: Codec<T>;
}

/** Declares a MapState: a map per key. */
export interface MapStateDescriptor<UK, UV> extends StateOptions {
  readonly kind: 'map';
  readonly name: string;
  /** Of the map's own keys; they are equal when their bytes are, and iterated in the order of their bytes. */
  readonly keyCodec: Codec<UK>;
  /** Of the map's values. */
  readonly codec: Codec<UV>;
}

/** Declares a ReducingState: one value per key, into which values are reduced. */
export interface ReducingStateDescriptor<T> extends StateOptions {
  readonly kind: 'reducing';
  readonly name: string;
  readonly codec: Codec<T>;
  readonly reduce: (soFar: T, value: T) => T;
}

/** How an AggregatingState works: Flink's AggregateFunction. */
export interface AggregateFunction<In, Acc, Out> {
  /** The accumulator of a key that has none. */
  createAccumulator(): Acc;
  /** The accumulator with one more value in it; it may be the one that was given, changed. */
  add(value: In, accumulator: Acc): Acc;
  getResult(accumulator: Acc): Out;
  /** Two accumulators as one. */
  merge(a: Acc, b: Acc): Acc;
}

/** Declares an AggregatingState: an accumulator per key. */
export interface AggregatingStateDescriptor<In, Acc, Out> extends StateOptions {
  readonly kind: 'aggregating';
  readonly name: string;
  /** Of the accumulator. */
  readonly codec: Codec<Acc>;
  readonly aggregate: AggregateFunction<In, Acc, Out>;
}

export type StateDescriptor =
  | ValueStateDescriptor<unknown, unknown>
  | ListStateDescriptor<unknown>
  | MapStateDescriptor<unknown, unknown>
  | ReducingStateDescriptor<unknown>
  | AggregatingStateDescriptor<unknown, unknown, unknown>;

/** Kinds of operator state, which belongs to no key (operator-state.ts). */
export type OperatorStateKind = 'operator-list' | 'operator-union-list' | 'broadcast';

export type StateKind = StateDescriptor['kind'];

/** One value per key, Flink's ValueState. With a default, reading always gives a value. */
export function valueState<T>(name: string, codec: Codec<T>, options: ValueStateOptions<T> & { readonly default: T }): ValueStateDescriptor<T, T>;
export function valueState<T>(name: string, codec: Codec<T>, options?: StateOptions): ValueStateDescriptor<T>;
export function valueState<T>(name: string, codec: Codec<T>, options: ValueStateOptions<T> = {}): ValueStateDescriptor<T> {
  return { kind: 'value', name, codec, ...options };
}

/** Any number of elements per key, Flink's ListState. @param codec of one element */
export const listState = <T>(name: string, codec: Codec<T>, options: StateOptions = {}): ListStateDescriptor<T> => ({ kind: 'list', name, codec, ...options });

/** A map per key, Flink's MapState. */
export const mapState = <UK, UV>(name: string, keyCodec: Codec<UK>, valueCodec: Codec<UV>, options: StateOptions = {}): MapStateDescriptor<UK, UV> => ({
  kind: 'map',
  name,
  keyCodec,
  codec: valueCodec,
  ...options,
});

/** One value per key, the reduction of what was added, Flink's ReducingState. */
export const reducingState = <T>(name: string, codec: Codec<T>, reduce: (soFar: T, value: T) => T, options: StateOptions = {}): ReducingStateDescriptor<T> => ({
  kind: 'reducing',
  name,
  codec,
  reduce,
  ...options,
});

/** An accumulator per key, Flink's AggregatingState. */
export const aggregatingState = <In, Acc, Out>(
  name: string,
  accumulatorCodec: Codec<Acc>,
  aggregate: AggregateFunction<In, Acc, Out>,
  options: StateOptions = {},
): AggregatingStateDescriptor<In, Acc, Out> => ({ kind: 'aggregating', name, codec: accumulatorCodec, aggregate, ...options });
