import type { AggregatingState } from '../state/aggregating-state.js';
import type {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../state/descriptors.js';
import type { ListState } from '../state/list-state.js';
import type { MapState } from '../state/map-state.js';
import type { ReducingState } from '../state/reducing-state.js';
import type { ValueState } from '../state/value-state.js';

/** Takes what a function gives out. `collect` hands the value on at once, before it returns. */
export interface Collector<T> {
  collect(value: T): void;
}

/** What a function knows of where it runs. */
export interface RuntimeContext {
  readonly operator: string;
  /** Index of this task, 0 <= taskIndex < parallelism. */
  readonly taskIndex: number;
  readonly parallelism: number;
  /** How often this task was restarted in this process, from 0. */
  readonly attempt: number;
  /** Time of the record that is processed, in milliseconds since the epoch. */
  timestamp(): number;
}

/** A RuntimeContext with keyed state: each key has state of its own, and a function sees that of the record it processes. */
export interface KeyedContext<K = unknown> extends RuntimeContext {
  /**
   * Declares a state and returns its handle. Call it in `open`, once per name.
   * @throws WeirError `invalid` STATE_REGISTRATION for a second call with the name, or a call after `open`
   */
  state<T, R>(descriptor: ValueStateDescriptor<T, R>): ValueState<T, R>;
  state<T>(descriptor: ListStateDescriptor<T>): ListState<T>;
  state<UK, UV>(descriptor: MapStateDescriptor<UK, UV>): MapState<UK, UV>;
  state<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>;
  state<In, Acc, Out>(descriptor: AggregatingStateDescriptor<In, Acc, Out>): AggregatingState<In, Acc, Out>;
  /** The key of the record that is processed. */
  currentKey(): K;
}

/**
 * A function on a keyed stream, made once per task, so that instance fields are safe. It runs synchronously, one record at a time.
 * An instance lives from `open` to `close`; a restarted task makes a new one.
 */
export abstract class KeyedFunction<K> {
  /** Before the first record: declare state here. */
  open(_context: KeyedContext<K>): void {
    // Nothing to declare by default.
  }

  /** After the last record, and after a failure. */
  close(): void {
    // Nothing to close by default.
  }
}

/** Any number of values for each record. */
export abstract class KeyedFlatMap<K, In, Out> extends KeyedFunction<K> {
  abstract flatMap(value: In, out: Collector<Out>): void;
}

/** One value for each record. */
export abstract class KeyedMap<K, In, Out> extends KeyedFunction<K> {
  abstract map(value: In): Out;
}

/** Keeps the records for which it answers true. */
export abstract class KeyedFilter<K, In> extends KeyedFunction<K> {
  abstract filter(value: In): boolean;
}

/** What a function with one value state returns: the state to keep (undefined clears it) beside its result. */
export interface WithState<S> {
  readonly state: S | undefined;
}
