import { clockOf, type Clock, type StateBackend, type StateBackendFactory, type StateStore, type StoreScope } from '@weir/core';
import { errors } from '../errors.js';
import { instancesIn } from '../instances/instance-directory.js';
import { checkDuration } from '../option-checks.js';
import { DEFAULT_LOCK_TIMEOUT_MS, whenUnlocked, type LockPatience } from '../store-lock.js';
import { storeName } from '../store-path.js';
import { MemoryStore } from './memory-store.js';

export interface MemoryOptions {
  /**
   * Where this process keeps the name by which it is known in the group when it comes back: a directory of its own, which outlives it.
   * Default none: after a death the group waits until its session ends.
   */
  readonly instanceDir?: string | undefined;
  /** How long a second opener of a store waits for the first, in milliseconds. Default 10000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Default: the real one. */
  readonly clock?: Clock | undefined;
}

/**
 * Keeps state on the heap: for small state, for tests, and for platforms without the native part of `rocksdb`. It is gone with the
 * process, or when its store is closed, and recovers from the changelog.
 * @throws WeirError `invalid` STATE_OPTION_INVALID
 */
export function memory(options: MemoryOptions = {}): StateBackendFactory {
  const timeoutMs = checkDuration('lockTimeoutMs', options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS);
  const clock = options.clock ?? clockOf(globalThis);
  return { kind: 'memory', open: async () => new MemoryBackend({ clock, timeoutMs }), ...instancesIn(options.instanceDir, clock) };
}

/** The stores of one process, by name. Nothing of another process or another backend is ever seen, so the map is the lock (S5). */
class MemoryBackend implements StateBackend {
  readonly kind = 'memory';
  readonly #patience: LockPatience;
  readonly #stores = new Map<string, MemoryStore>();
  #closed = false;

  constructor(patience: LockPatience) {
    this.#patience = patience;
  }

  async open(scope: StoreScope): Promise<StateStore> {
    const name = storeName(scope);
    return whenUnlocked('opening', name, this.#patience, () => {
      if (this.#closed) throw errors.closed({ act: 'opening', path: name });
      if (this.#stores.has(name)) return undefined;
      const store = new MemoryStore(name, () => this.#stores.delete(name));
      this.#stores.set(name, store);
      return store;
    });
  }

  async destroy(scope: StoreScope): Promise<void> {
    const name = storeName(scope);
    // A closed store is gone already.
    if (this.#stores.has(name)) throw errors.stillOpen({ path: name });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
  }
}
