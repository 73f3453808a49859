/** An accumulator per key, into which values are added, and from which a result is read. Costs what a ValueState of the accumulator costs. */
export interface AggregatingState<In, Acc, Out> {
  add(value: In): void;
  /** Adds what another accumulator holds, say one that was computed before the keyBy. */
  merge(accumulator: Acc): void;
  /** The result for the current key, or undefined before the first value. */
  get(): Out | undefined;
  clear(): void;
}
