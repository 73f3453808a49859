/** One value per key, into which each added value is reduced by the descriptor's function. Costs what a ValueState costs. */
export interface ReducingState<T> {
  /** The first value of a key becomes its state; each further one is reduced into it. */
  add(value: T): void;
  /** The reduction of all values of the current key, or undefined before the first. */
  get(): T | undefined;
  clear(): void;
}
