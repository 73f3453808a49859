/** Stands for an entry that is not there: removed in an overlay, absent from the store in a cache. */
export const REMOVED: unique symbol = Symbol('removed');

const NOTHING: ReadonlyMap<string, unknown> = new Map();

/**
 * CollectionCell: what the table of keys holds of one key's list or map, in three layers by sub-key (bytes as text, one per character):
 *
 *   running   changes of the running epoch                    put, remove, add
 *   frozen    changes of the epoch that is being committed    freeze(epoch) moves `running` here, applied(epoch) drops it
 *   (store)   everything committed before                     `cache` knows a part of it
 *
 * An upper layer hides a lower one, entry by entry; a layer that is `cleared` hides all below it.
 *
 * Invariants:
 *   C1. `running` and `frozen` are exactly what the store lacks: nothing leaves them but by `applied`.
 *   C2. `cache` says of each sub-key what the store holds once the frozen changes before it are applied: so it may be dropped at any time,
 *       and what it says of a changed sub-key is corrected when the change is applied.
 *   C3. A cleared layer holds no REMOVED: all below it is hidden already, and a clear removes what is stored.
 */
export class CollectionCell {
  running = new Map<string, unknown>();
  cleared = false;
  frozen = NOTHING;
  frozenCleared = false;
  readonly cache = new Map<string, unknown>();

  /** From the overlays; undefined if they say nothing and the store is to be asked. */
  change(subKey: string): unknown {
    const running = this.running.get(subKey);
    if (running !== undefined) return running;
    if (this.cleared) return REMOVED;
    return this.frozen.get(subKey) ?? (this.frozenCleared ? REMOVED : undefined);
  }

  get hidesStore(): boolean {
    return this.cleared || this.frozenCleared;
  }

  /** Sub-keys that the overlays have anything to say of, in the order of bytes. */
  changedKeys(): string[] {
    const keys = this.cleared || this.frozen.size === 0 ? [...this.running.keys()] : [...new Set([...this.running.keys(), ...this.frozen.keys()])];
    return keys.sort();
  }

  /** Hides all there is. @returns how many cached entries were dropped */
  clear(): number {
    this.running = new Map();
    this.cleared = true;
    return this.dropCache();
  }

  /** The running changes become the frozen ones. The caller has written them out. */
  freeze(): void {
    this.frozen = this.running;
    this.frozenCleared = this.cleared;
    this.running = new Map();
    this.cleared = false;
  }

  /** The store has the frozen changes now: C2. */
  applied(): void {
    for (const [subKey, value] of this.frozen) if (this.cache.has(subKey)) this.cache.set(subKey, value);
    this.frozen = NOTHING;
    this.frozenCleared = false;
  }

  dropCache(): number {
    const { size } = this.cache;
    this.cache.clear();
    return size;
  }
}
