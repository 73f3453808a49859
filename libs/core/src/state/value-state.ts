/**
 * One value per key. Reads and writes are synchronous; a write becomes durable with the next commit of the task, together with the
 * output that came of it.
 *
 * A value is kept decoded on the heap, so what `value` returns is what `update` was given: treat it as immutable, and `update` with a
 * new value to change it. A value changed in place, without `update`, may or may not survive.
 *
 * `R` is what reading gives: `T | undefined`, or `T` where the descriptor has a default.
 */
export interface ValueState<T, R = T | undefined> {
  /** The value of the current key; without one the descriptor's default, or undefined. */
  value(): R;
  /** @throws WeirError `data` at the next commit if the codec cannot encode the value */
  update(value: T): void;
  /** Removes the value of the current key. */
  clear(): void;
}
