/**
 * A map per key. Each entry is one of its own in the store: `put` is one write, however large the map, and `get` one read.
 *
 * Iteration is lazy and in the order of the encoded keys, as unsigned bytes: it reads the store a page at a time, so a map of any size needs
 * bounded memory. While it runs the map may be changed: what is removed is not shown any more, what is put may or may not be. An iteration
 * ends with its record; one that is kept beyond it throws STATE_OUTSIDE_KEY.
 */
export interface MapState<UK, UV> {
  get(key: UK): UV | undefined;
  /** @throws WeirError `data` at the next commit if the codec cannot encode the value; the key codec's error for what is no key */
  put(key: UK, value: UV): void;
  /** One write each. */
  putAll(entries: Iterable<readonly [UK, UV]>): void;
  has(key: UK): boolean;
  /** Removes an entry, if there is one: a tombstone, without a read. */
  remove(key: UK): void;
  entries(): IterableIterator<[UK, UV]>;
  keys(): IterableIterator<UK>;
  values(): IterableIterator<UV>;
  /** Whether the current key has no entries. */
  isEmpty(): boolean;
  /** Removes all entries of the current key: a tombstone each. */
  clear(): void;
}
