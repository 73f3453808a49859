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
import type { BroadcastState, BroadcastStateDescriptor, OperatorListDescriptor, OperatorListState } from '../state/operator-state.js';
import type { TimerService } from '../state/timer-service.js';
import type { ValueState } from '../state/value-state.js';
import type { MetricGroup } from './metrics.js';
import type { RecordView } from './record-view.js';

/** Takes what a function gives out. `collect` hands the value on at once, before it returns. */
export interface Collector<T> {
  collect(value: T): void;
}

/** What a function knows of where it runs. */
export interface RuntimeContext {
  readonly job: string;
  readonly operator: string;
  /** Index of this task, 0 <= taskIndex < parallelism. */
  readonly taskIndex: number;
  readonly parallelism: number;
  /** How often this task was restarted in this process, from 0. */
  readonly attempt: number;
  /** Time of the record that is processed, in milliseconds since the epoch; of a timer, the time that it was set to. */
  timestamp(): number;
  /** The record that is processed. */
  readonly record: RecordView;
  /** Metrics of this operator in this task; register them in `open`. */
  readonly metrics: MetricGroup;
}

export interface InitializationContext {
  /** Whether the task has committed before: false at a job's first start alone. */
  readonly isRestored: boolean;
}

/** Names a side output and its type. */
export class OutputTag<T> {
  /** Keeps the type of the values apart from that of other tags. */
  declare readonly valueType: T;

  /** @param id unique among the side outputs of an operator */
  constructor(readonly id: string) {}
}

/** A RuntimeContext with operator state and side outputs. */
export interface OperatorContext extends RuntimeContext {
  /** Declares operator list state; call it in `open`. @throws WeirError `invalid` STATE_REGISTRATION */
  operatorState<T>(descriptor: OperatorListDescriptor<T>): OperatorListState<T>;
  /** Sends a value to a side output. @throws WeirError `invalid` SIDE_OUTPUT_UNREAD if no stream was made of the tag */
  output<T>(tag: OutputTag<T>, value: T): void;
}

/** A RuntimeContext with keyed state: each key has state of its own, and a function sees that of the record it processes. */
export interface KeyedContext<K = unknown> extends OperatorContext {
  /**
   * Declares a state and returns its handle. Call it in `open`, once per name.
   * @throws WeirError `invalid` STATE_REGISTRATION for a second call with the name, or a call after `open`
   */
  state<T, R>(descriptor: ValueStateDescriptor<T, R>): ValueState<T, R>;
  state<T>(descriptor: ListStateDescriptor<T>): ListState<T>;
  state<UK, UV>(descriptor: MapStateDescriptor<UK, UV>): MapState<UK, UV>;
  state<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>;
  state<In, Acc, Out>(descriptor: AggregatingStateDescriptor<In, Acc, Out>): AggregatingState<In, Acc, Out>;
  /** The key of the record or the timer that is processed. */
  currentKey(): K;
  /** Processing-time timers, for functions that have `onTimer`. */
  readonly timerService: TimerService;
}

/**
 * A user's function, made once per task, so that instance fields are safe. It runs synchronously, one record at a time. An instance lives
 * from `open` to `close`; a restarted task makes a new one:
 *
 *   open --> initializeState --> records and timers, snapshotState before each commit --> close
 */
abstract class RichFunction<In> {
  /** Never there, likewise below: methods are compared both ways, and this keeps functions of narrower values out. */
  declare readonly takes?: In;
  /** Behind `open`, before the first record: operator state that was declared holds what was committed last. */
  initializeState(_context: InitializationContext): void {
    // Nothing to take up by default.
  }

  /** Before each commit: the last chance to put what is kept in fields into operator state. */
  snapshotState(): void {
    // Nothing to put by default.
  }

  /** After the last record, and after a failure. */
  close(): void {
    // Nothing to close by default.
  }
}

/** A function on a keyed stream. */
export abstract class KeyedFunction<K, In = never> extends RichFunction<(key: K, value: In) => 'keyed'> {
  /** Before the first record: declare state here. */
  open(_context: KeyedContext<K>): void {
    // Nothing to declare by default.
  }
}

/** A function on streams without keys; it may have operator state. */
export abstract class OperatorFunction<In = never> extends RichFunction<(value: In) => 'without keys'> {
  /** Before the first record: declare operator state here. */
  open(_context: OperatorContext): void {
    // Nothing to declare by default.
  }
}

/** Any number of values for each record. */
export abstract class KeyedFlatMap<K, In, Out> extends KeyedFunction<K, In> {
  abstract flatMap(value: In, out: Collector<Out>): void;
}

/** One value for each record. */
export abstract class KeyedMap<K, In, Out> extends KeyedFunction<K, In> {
  abstract map(value: In): Out;
}

/** Keeps the records for which it answers true. */
export abstract class KeyedFilter<K, In> extends KeyedFunction<K, In> {
  abstract filter(value: In): boolean;
}

/** Any number of values for each record, to the main output and to side outputs. */
export abstract class KeyedProcess<K, In, Out> extends KeyedFunction<K, In> {
  abstract process(value: In, out: Collector<Out>): void;

  /** A timer of the current key is due. @param at what it was set to, in milliseconds since the epoch */
  onTimer?(at: number, out: Collector<Out>): void;
}

/**
 * A keyed stream beside a broadcast: records of both sides run in the same task, one at a time. Every task sees all of the broadcast, and
 * between two checkpoints all have seen the same of it.
 */
export abstract class KeyedBroadcastProcess<K, In, Broadcast, Out> extends KeyedFunction<K, readonly [In, Broadcast]> {
  override open(_context: KeyedBroadcastContext<K>): void {
    // Nothing to declare by default.
  }

  /** A record of the keyed side: has keyed state, and reads broadcast state. */
  abstract process(value: In, out: Collector<Out>): void;

  /** A record of the broadcast side: has no key, and writes broadcast state. It must do the same in every task. */
  abstract processBroadcast(value: Broadcast): void;

  /** A timer of the current key is due. @param at what it was set to, in milliseconds since the epoch */
  onTimer?(at: number, out: Collector<Out>): void;
}

export interface KeyedBroadcastContext<K = unknown> extends KeyedContext<K> {
  /** Declares broadcast state; call it in `open`. @throws WeirError `invalid` STATE_REGISTRATION */
  broadcastState<BK, BV>(descriptor: BroadcastStateDescriptor<BK, BV>): BroadcastState<BK, BV>;
}

/** Any number of values for each record of a stream without keys, to the main output and to side outputs. */
export abstract class ProcessFunction<In, Out> extends OperatorFunction<In> {
  abstract process(value: In, out: Collector<Out>): void;
}

/** What a function with one value state returns: the state to keep (undefined clears it) beside its result. */
export interface WithState<S> {
  readonly state: S | undefined;
}
