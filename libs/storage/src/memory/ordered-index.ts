import BTreeModule from 'sorted-btree';

// The package is CommonJS with an export called default: that is one level deeper than the default of its module.
const BTree = BTreeModule.default;
type Tree = InstanceType<typeof BTree<string, string>>;

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The order of a map's keys, for scans; the map itself stays the place for point reads.
 *
 * Most state is never scanned, so the order costs nothing until the first `snapshot`, and after it one set insertion per change:
 * the tree is brought up to date when a scan asks. A snapshot is a clone of the tree that shares its nodes; later changes copy the
 * nodes they touch, so it keeps showing what it held, without a copy of the whole.
 *
 * Strings hold one byte per character (latin1), so that their order is that of unsigned bytes.
 */
export class OrderedIndex {
  #tree: Tree | undefined;
  readonly #stale = new Set<string>();

  /** Notes that `key` was set or deleted in the map. */
  touched(key: string): void {
    if (this.#tree !== undefined) this.#stale.add(key);
  }

  /** Entries of `map` whose key begins with `prefix`, ordered, as they are now: later changes of the map do not show. */
  snapshot(map: ReadonlyMap<string, string>, prefix: string): IterableIterator<[string, string]> {
    return withPrefix(this.#upToDate(map).clone(), prefix);
  }

  #upToDate(map: ReadonlyMap<string, string>): Tree {
    if (this.#tree === undefined) {
      const entries = [...map].sort(([a], [b]) => byCode(a, b));
      this.#tree = new BTree<string, string>(entries, byCode);
    }
    for (const key of this.#stale) {
      const value = map.get(key);
      if (value === undefined) this.#tree.delete(key);
      else this.#tree.set(key, value);
    }
    this.#stale.clear();
    return this.#tree;
  }
}

function* withPrefix(tree: Tree, prefix: string): IterableIterator<[string, string]> {
  for (const entry of tree.entries(prefix)) {
    if (!entry[0].startsWith(prefix)) return;
    yield entry;
  }
}
