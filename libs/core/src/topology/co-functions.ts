import { type Collector, KeyedFunction, OperatorFunction } from './functions.js';

/**
 * Functions of two streams, Flink's ConnectedStreams. Both sides run in the same task, one record at a time, and share the instance, its
 * fields and its state. Each side keeps the order of its records; nothing is said of the order between the two.
 */
export type KeyedCoFunction<K> = KeyedFunction<K>;

/** One value for each record of either side. */
export abstract class KeyedCoMap<K, In1, In2, Out> extends KeyedFunction<K, readonly [In1, In2]> {
  abstract map1(value: In1): Out;
  abstract map2(value: In2): Out;
}

/** Any number of values for each record of either side. */
export abstract class KeyedCoFlatMap<K, In1, In2, Out> extends KeyedFunction<K, readonly [In1, In2]> {
  abstract flatMap1(value: In1, out: Collector<Out>): void;
  abstract flatMap2(value: In2, out: Collector<Out>): void;
}

/** Any number of values for each record of either side, to the main output and to side outputs; with timers. */
export abstract class KeyedCoProcess<K, In1, In2, Out> extends KeyedFunction<K, readonly [In1, In2]> {
  abstract process1(value: In1, out: Collector<Out>): void;
  abstract process2(value: In2, out: Collector<Out>): void;

  /** A timer of the current key is due. @param at what it was set to, in milliseconds since the epoch */
  onTimer?(at: number, out: Collector<Out>): void;
}

/** A function of two streams without keys. */
export type CoFunction = OperatorFunction;

/** One value for each record of either side. */
export abstract class CoMap<In1, In2, Out> extends OperatorFunction<readonly [In1, In2]> {
  abstract map1(value: In1): Out;
  abstract map2(value: In2): Out;
}

/** Any number of values for each record of either side. */
export abstract class CoFlatMap<In1, In2, Out> extends OperatorFunction<readonly [In1, In2]> {
  abstract flatMap1(value: In1, out: Collector<Out>): void;
  abstract flatMap2(value: In2, out: Collector<Out>): void;
}

/** Any number of values for each record of either side, to the main output and to side outputs. */
export abstract class CoProcess<In1, In2, Out> extends OperatorFunction<readonly [In1, In2]> {
  abstract process1(value: In1, out: Collector<Out>): void;
  abstract process2(value: In2, out: Collector<Out>): void;
}
