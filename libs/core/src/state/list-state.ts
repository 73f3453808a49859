/**
 * Any number of elements per key, in the order in which they were added. Each element is an entry of its own in the store: `add` is one
 * write, however long the list, and needs no read; `get` reads them all.
 *
 * Elements are kept as they were given until their commit: treat them as immutable.
 */
export interface ListState<T> {
  /** Appends an element. @throws WeirError `data` at the next commit if the codec cannot encode it */
  add(value: T): void;
  /** Appends elements, one write each. */
  addAll(values: Iterable<T>): void;
  /** Replaces the whole list: a tombstone per stored element, a write per new one. */
  update(values: Iterable<T>): void;
  /** The elements of the current key, oldest first; empty for a key without any. The array is the caller's. */
  get(): T[];
  /** Removes all elements of the current key: a tombstone each. */
  clear(): void;
}
